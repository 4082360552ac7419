/** Crash states of a Store: journal, checkpoints, growth and shrinking of the file, snapshots, compaction. */

import type { MemoryDevice } from 'persistent-data/io';
import { Store, type StoreOptions, u32 } from 'persistent-data/store';
import { CrashDevice, type CrashDeviceOptions, type CrashPoint, shrinkScript } from 'persistent-data/testing';
import { compactOnto } from '../../packages/persistent-data/src/store/compact.ts';
import { Failure, type Run, textOf } from './campaign.ts';
import type { CrashOutcome } from './crash-thin.ts';
import { describeStore } from './store-contents.ts';
import { StorePlayer } from './store-player.ts';
import { randomStoreScript, type StoreScript } from './store-script.ts';

/** A script, and how its store is made. */
export interface StoreCrashCase {
  readonly script: StoreScript;
  readonly options: StoreOptions;
  readonly limit: number;
  readonly seed: number;
  /** For negative controls. */
  readonly device?: Pick<CrashDeviceOptions, 'dropFlush'>;
  /** The same for files that the store is compacted into. */
  readonly copy?: Pick<CrashDeviceOptions, 'dropFlush'>;
}

const USE_EVERY = 8;

/** What is wrong with a disk that must hold a store in one of the `allowed` states. */
function stateProblem(
  device: MemoryDevice,
  allowed: readonly string[],
  options: StoreOptions,
  isUsed: boolean,
): string | undefined {
  try {
    const { create: _, ...rest } = options;
    // While it is being made there is none to be read.
    if (isUsed && !allowed.includes('')) {
      const readOnly = Store.open(device.fork(), { ...rest, readOnly: true });
      if (!allowed.includes(describeStore(readOnly))) return 'opened read-only, it holds what it must not';
      readOnly.close();
    }
    const store = Store.open(device, options);
    const found = describeStore(store);
    if (!allowed.includes(found)) return wrongState(found, allowed);
    if (!isUsed) return undefined;
    for (const finding of store.check()) return `the check finds: ${finding.message}`;
    store.transact(() => store.tree('t0', { value: u32 }).set(1, 1));
    return undefined;
  } catch (error) {
    return textOf(error);
  }
}

function wrongState(found: string, allowed: readonly string[]): string {
  const shown = (text: string) => text.slice(0, 400).replaceAll('\n', ' | ');
  return `it holds what it must not:\n  found   ${shown(found)}\n  allowed ${allowed.map(shown).join('\n      or  ')}`;
}

/** Plays a script on a disk that may lose power at any moment, from the making of the store on. */
export async function crashStore(each: StoreCrashCase): Promise<CrashOutcome & { readonly nrCompactions: number }> {
  let nrStates = 0;
  let nrCompactions = 0;
  let problem: string | undefined;
  let player: StorePlayer | undefined;
  const look = (point: CrashPoint): void => {
    if (problem !== undefined || player === undefined) return;
    const { allowed } = player;
    for (const state of point.states({ limit: each.limit, seed: each.seed + point.index })) {
      nrStates += 1;
      const found = stateProblem(state.open(), allowed, each.options, nrStates % USE_EVERY === 0);
      if (found === undefined) continue;
      const fails = (device: MemoryDevice) => stateProblem(device, allowed, each.options, true) !== undefined;
      problem = `${point}, state ${point.shrink(state, fails, 200)}: ${found}`;
      return;
    }
  };
  let device = new CrashDevice({ nrBlocks: 0, onCrashPoint: look, ...each.device });
  // The file that the store lies in is replaced by another one: until then a crash finds the old one, from then on the new one.
  const compact = (store: Store): CrashDevice => {
    let isInPlace = false;
    const fresh = new CrashDevice({ nrBlocks: 0, onCrashPoint: (point) => isInPlace && look(point), ...each.copy });
    store.engine.checkpoint();
    compactOnto(store.engine, fresh, each.options, () => {
      look(device.crashPoint('before the file is replaced'));
      isInPlace = true;
      look(fresh.crashPoint('after the file was replaced'));
    });
    device = fresh;
    nrCompactions += 1;
    return fresh;
  };
  player = new StorePlayer(device, each.options, compact);
  try {
    player.open();
    for (const step of each.script) {
      const waiting = player.play(step);
      if (waiting !== undefined) await waiting;
      if (problem !== undefined) break;
    }
    if (problem === undefined) {
      await player.settle();
      player.compare();
      look(device.crashPoint('the end'));
    }
  } catch (error) {
    problem ??= textOf(error);
  }
  return { nrStates, nrCompactions, problem };
}

/** One run, as for thin metadata. */
export async function runStoreCrash({ random, count, note, index }: Run): Promise<void> {
  const isShort = index % 3 === 0;
  const each: StoreCrashCase = {
    script: randomStoreScript(random, isShort ? 6 : 40, isShort ? 50 : random.pick([30, 300, 1500])),
    options: { journalBlocks: random.pick([4, 4, 8, 32]), cacheBytes: 4096 * random.pick([32, 64, 256]) },
    limit: isShort ? 400 : 25,
    seed: random.uint32(),
  };
  const { nrStates, nrCompactions, problem } = await crashStore(each);
  count(nrStates);
  note('compactions', nrCompactions);
  if (problem === undefined) return;
  const fails = async (script: StoreScript) => (await crashStore({ ...each, script })).problem !== undefined;
  const script = await shrinkScript(each.script, fails, 100);
  const last = await crashStore({ ...each, script });
  throw new Failure(last.problem ?? problem, { options: each.options, seed: each.seed, limit: each.limit, script });
}
