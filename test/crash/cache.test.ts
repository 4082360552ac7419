/**
 * Power fails while a cache's metadata is used: whatever had arrived, the check finds nothing wrong, and what is found is the last commit, or the one that
 * was under way. Dirty bits are only believed where an orderly end is what was found.
 */

import { CacheMetadata } from 'persistent-data/cache';
import type { BlockDevice, MemoryDevice } from 'persistent-data/io';
import { CrashDevice, type CrashPoint, Random } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import {
  CachePlayer,
  type CacheStep,
  describePlain,
  type PlainCache,
  problemsOf,
  readPlain,
  STEPS,
} from '../structures/cache-player.ts';

/** A device that forgets flushes: the harness has to see that. */
function withoutFlush(device: BlockDevice): BlockDevice {
  return {
    get nrBlocks() {
      return device.nrBlocks;
    },
    readOnly: false,
    read: (begin, buffers) => device.read(begin, buffers),
    write: (begin, buffers) => device.write(begin, buffers),
    flush: () => undefined,
    close: () => device.close(),
  };
}

/** What is wrong with what a crash left. */
function problemOf(device: MemoryDevice, allowed: readonly PlainCache[]): string | undefined {
  try {
    const [problem] = problemsOf(device);
    if (problem !== undefined) return problem;
    const found = describePlain(readPlain(CacheMetadata.open(device)));
    return allowed.map(describePlain).includes(found) ? undefined : `it is ${found}`;
  } catch (error) {
    return String(error);
  }
}

function crash(seed: number, version: 1 | 2, wrap: (device: BlockDevice) => BlockDevice = (d) => d) {
  const random = new Random(seed);
  let allowed: PlainCache[] = [];
  let problem: string | undefined;
  let nrStates = 0;
  const look = (point: CrashPoint): void => {
    if (allowed.length === 0 || problem !== undefined) return;
    for (const state of point.states({ limit: 40, seed })) {
      nrStates++;
      problem ??= problemOf(state.open(), allowed);
    }
  };
  const device = new CrashDevice({ nrBlocks: 64, onCrashPoint: look });
  const player = new CachePlayer(wrap(device), random, version);
  player.play('resize');
  player.play('commit');
  for (let i = 0; i < 14 && problem === undefined; i++) {
    const step: CacheStep = random.pick(STEPS);
    const orderly = player.cache.cleanWhenOpened && !player.cache.changedThisTransaction;
    allowed = [player.afterCrash];
    if (step === 'commit') allowed.push(player.afterCommit);
    // Opening takes the flag away; until then it is what was shut down, whose superblock may still be there.
    if (step === 'shutDown') allowed.push(player.afterCommit, player.afterShutDown);
    if (orderly) allowed.push(player.afterShutDown);
    player.play(step);
    allowed = [player.afterCrash];
    look(device.crashPoint(`after ${step}`));
  }
  return { problem, nrStates };
}

test.each([1, 2] as const)('version %i: each crash point of random steps', { timeout: 120_000 }, (version) => {
  let total = 0;
  for (let seed = 1; seed <= 4; seed++) {
    const { problem, nrStates } = crash(seed, version);
    expect(problem, `seed ${seed}`).toBeUndefined();
    total += nrStates;
  }
  expect(total).toBeGreaterThan(400);
});

test('the harness sees a flush that is dropped', { timeout: 60_000 }, () => {
  const found = [1, 2, 3, 4].map((seed) => crash(seed, 2, withoutFlush).problem);
  expect(found.some((problem) => problem !== undefined)).toBe(true);
});
