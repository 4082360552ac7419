/** The fuzz harness is shown a check that compares no reference counts. A file of its own, as it replaces a module. */

import { Random } from 'persistent-data/testing';
import { expect, test, vi } from 'vitest';
import { runThinFuzz } from './fuzz-thin.ts';

const { isComparing } = vi.hoisted(() => ({ isComparing: { value: true } }));

vi.mock(import('../../packages/persistent-data/src/disk-space-map/check-space-map.ts'), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    compareCounts: function* (...args: Parameters<typeof original.compareCounts>) {
      // Bitmaps of the map are read all the same: what is wrong with these themselves is found.
      for (const finding of original.compareCounts(...args)) if (isComparing.value) yield finding;
    } as typeof original.compareCounts,
  };
});

/** What the harness says first in so many runs. */
async function firstFailure(nrRuns: number): Promise<string | undefined> {
  const nothing = (): void => undefined;
  for (let seed = 1; seed <= nrRuns; seed++) {
    try {
      await runThinFuzz({ index: 0, random: new Random(seed), count: nothing, note: nothing });
    } catch (error) {
      return (error as Error).message;
    }
  }
  return undefined;
}

test('the fuzz harness catches a check that finds no wrong count', async () => {
  expect(await firstFailure(60)).toBeUndefined();
  isComparing.value = false;
  expect(await firstFailure(600)).toMatch(/the check finds nothing, the audit does: .*/);
});
