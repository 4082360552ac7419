/** Cache metadata beside plain maps: random steps, a check after each, rollbacks, openings after an orderly end and after a crash. */

import fc from 'fast-check';
import { MemoryDevice } from 'persistent-data/io';
import { Random } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import { nrCommands, replay, timeLimit } from '../replay.ts';
import { CachePlayer, type CacheStep, problemsOf, readPlain, STEPS } from '../structures/cache-player.ts';

function run(version: 1 | 2, seed: number, steps: readonly CacheStep[]): void {
  const device = new MemoryDevice({ nrBlocks: 128 });
  const player = new CachePlayer(device, new Random(seed), version);
  for (const [i, step] of steps.entries()) {
    const wantedAtEnd = step === 'shutDown' ? player.afterShutDown : undefined;
    const wantedAfterCrash = step === 'crash' ? player.afterCrash : undefined;
    player.play(step);
    const found = readPlain(player.cache);
    expect(new Map([...found.mappings].map(([block, { origin }]) => [block, origin])), `${i} ${step}`).toEqual(
      new Map(player.wanted),
    );
    if (wantedAtEnd !== undefined) expect(found).toEqual(wantedAtEnd);
    if (wantedAfterCrash !== undefined) expect(found).toEqual(wantedAfterCrash);
    if (['commit', 'shutDown', 'crash', 'rollback'].includes(step)) expect(problemsOf(device)).toEqual([]);
    expect(player.cache.core.tm.broken).toBeUndefined();
  }
  player.shutDown();
  expect(problemsOf(device)).toEqual([]);
}

test.each([1, 2] as const)('version %i', { timeout: timeLimit(60_000) }, (version) => {
  const length = nrCommands(40);
  const property = fc.property(
    fc.integer({ min: 0 }),
    fc.array(fc.constantFrom(...STEPS), { minLength: 1, maxLength: length, size: 'max' }),
    (seed, steps) => run(version, seed, ['resize', ...steps]),
  );
  fc.assert(property, replay('model', 15));
});
