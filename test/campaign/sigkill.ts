/** A process that is killed at work, and the file that it leaves. */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryDevice } from 'persistent-data/io';
import { Store, type StoreOptions } from 'persistent-data/store';
import { Random, randomThinScript, ThinPlayer, type ThinPlayerOptions, type ThinScript } from 'persistent-data/testing';
import { type Campaign, Failure, type Run, textOf } from './campaign.ts';
import { describeStore } from './store-contents.ts';
import { StorePlayer } from './store-player.ts';
import { randomStoreScript } from './store-script.ts';
import { emptyPool, playerOptions, poolProblem, useFoundPool } from './thin-pool.ts';

/** How the victim opens its store. */
export const STORE_OPTIONS: StoreOptions = { journalBlocks: 8, cacheBytes: 64 * 4096 };

const METADATA_BLOCKS = 512;
const DATA_BLOCKS = 20_000;

/** What the victim does to a pool of {@link emptyPool}: the same here and there. */
export function thinLoad(random: Random): { readonly script: ThinScript; readonly options: ThinPlayerOptions } {
  const options = playerOptions(METADATA_BLOCKS, DATA_BLOCKS, random);
  return { script: randomThinScript(random, { nrSteps: 3000, nrVirtualBlocks: 3000 }), options };
}

/** Runs the victim and kills it after so many milliseconds from its first word; answers the last commit that it acknowledged. */
function killAtWork(kind: string, path: string, seed: number, afterMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const args = [
      ...process.execArgv.filter((each) => !each.startsWith('--max-old')),
      join(import.meta.dirname, 'victim.ts'),
    ];
    const child = spawn(process.execPath, [...args, kind, path, String(seed)], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    let isTimed = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (isTimed) return;
      isTimed = true;
      setTimeout(() => child.kill('SIGKILL'), afterMs);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      // A word that was cut off does not count.
      const last = output.split('\n').slice(0, -1).at(-1);
      if (signal !== 'SIGKILL' && code !== 0) reject(new Error(`the victim failed: ${errors}`));
      else resolve(Number(last ?? 0));
    });
  });
}

/** All states that the script commits, in order: from the empty one on. */
async function thinStates(seed: number, enough: (nr: number) => boolean): Promise<readonly string[]> {
  const { script, options } = thinLoad(new Random(seed));
  const player = ThinPlayer.open(emptyPool(METADATA_BLOCKS, DATA_BLOCKS), options);
  for (const step of script) {
    // Not without need: a commit that is under way stays so, here as in the process that was killed.
    const waiting = player.play(step);
    if (waiting !== undefined) await waiting;
    if (enough(player.acknowledged)) break;
  }
  return player.states;
}

async function storeStates(seed: number, enough: (nr: number) => boolean): Promise<readonly string[]> {
  const player = new StorePlayer(new MemoryDevice({ nrBlocks: 0 }), STORE_OPTIONS);
  player.open();
  for (const step of randomStoreScript(new Random(seed), 4000, 300)) {
    // Not without need: a commit that is under way stays so, here as in the process that was killed.
    const waiting = player.play(step);
    if (waiting !== undefined) await waiting;
    if (enough(player.acknowledged)) break;
  }
  return player.states;
}

function storeProblem(device: MemoryDevice, allowed: readonly string[]): string | undefined {
  try {
    const store = Store.open(device, STORE_OPTIONS);
    if (!allowed.includes(describeStore(store))) return 'the store holds what it must not';
    for (const finding of store.check()) return `the check finds: ${finding.message}`;
    store.close();
    return undefined;
  } catch (error) {
    return textOf(error);
  }
}

function thinProblem(device: MemoryDevice, allowed: readonly string[]): string | undefined {
  return poolProblem(device, allowed) ?? useFoundPool(device);
}

/** Commits under way when it was killed: one of its own, and what was not said any more. */
const MARGIN = 30;

/** See the top of this file: by turns a pool and a store. */
export const SIGKILL: Campaign = {
  name: 'sigkill',
  states: 'processes killed',
  hangSeconds: 180,
  ci: { states: 20 },
  async run({ random, count, index, note }: Run): Promise<void> {
    const kind = index % 2 === 0 ? 'thin' : 'store';
    const folder = mkdtempSync(join(tmpdir(), 'pdata-sigkill-'));
    const path = join(folder, 'file');
    const seed = random.uint32();
    const afterMs = random.below(random.pick([30, 300, 1500]));
    try {
      if (kind === 'thin') writeFileSync(path, emptyPool(METADATA_BLOCKS, DATA_BLOCKS).toBytes());
      const acknowledged = await killAtWork(kind, path, seed, afterMs);
      const device = MemoryDevice.from(new Uint8Array(readFileSync(path)));
      const enough = (nr: number) => nr > acknowledged + MARGIN;
      const states = await (kind === 'thin' ? thinStates : storeStates)(seed, enough);
      const allowed = states.slice(acknowledged);
      const problem = kind === 'thin' ? thinProblem(device, allowed) : storeProblem(device, allowed);
      count(1);
      note('commits', acknowledged);
      if (problem !== undefined) throw new Failure(problem, { kind, seed, afterMs, acknowledged });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
