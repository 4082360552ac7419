/** Versions of btrees against plain maps, for values of many sizes and one to three levels. */

import fc from 'fast-check';
import { describe, test } from 'vitest';
import { replay } from '../replay.ts';
import { type Step, TreePlayer } from './btree-player.ts';

const on = fc.nat(3);
/** Keys lie near each other, so that steps meet. */
const at = fc.nat(2500);
const stride = fc.constantFrom(1, 1, 2, 3, 10);
const few = fc.integer({ min: 1, max: 12 });
const many = fc.integer({ min: 50, max: 700 });

/** Steps with a constant `do`. */
function steps<D extends Step['do'], R extends object>(does: D, fields: { [K in keyof R]: fc.Arbitrary<R[K]> }) {
  return fc.record({ do: fc.constant(does), ...fields }) as unknown as fc.Arbitrary<Extract<Step, { do: D }>>;
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: steps('insert', { on, at, count: few, stride }) },
  { weight: 2, arbitrary: steps('insert', { on, at, count: many, stride }) },
  { weight: 4, arbitrary: steps('insertMany', { on, at, count: fc.oneof(few, many), stride }) },
  { weight: 6, arbitrary: steps('remove', { on, at, count: few }) },
  { weight: 2, arbitrary: steps('remove', { on, at, count: fc.integer({ min: 50, max: 300 }) }) },
  { weight: 3, arbitrary: steps('removeRange', { on, at, length: fc.nat(1500), depth: fc.constantFrom(2, 2, 1, 0) }) },
  { weight: 2, arbitrary: steps('removeLeaves', { on, at, length: fc.nat(400) }) },
  { weight: 6, arbitrary: steps('look', { on, at }) },
  { weight: 3, arbitrary: steps('diff', { on, other: on }) },
  { weight: 4, arbitrary: steps('snapshot', { on }) },
  { weight: 2, arbitrary: steps('drop', { on }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('commit' as const, 'rollback' as const, 'reopen' as const) }),
  },
);

const SIZES = [1, 4, 8, 12, 24, 100, 500];

describe.each([1, 2, 3])('trees of %i levels', (levels) => {
  test.each(SIZES)('values of %i bytes', { timeout: 120_000 }, (size) => {
    const lives = fc.array(step, { maxLength: 200, size: 'max' });
    fc.assert(
      fc.property(lives, (life) => {
        const player = new TreePlayer(size, levels);
        for (const each of life) player.play(each);
        player.finish();
      }),
      replay('model', 4),
    );
  });
});
