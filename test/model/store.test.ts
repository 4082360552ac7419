/** A store against a model of plain maps: random steps, compared after each, checked, killed and opened again. */

import fc from 'fast-check';
import { test } from 'vitest';
import { replay, timeLimit } from '../replay.ts';
import { type Step, StorePlayer } from './store-player.ts';

const on = fc.nat(7);
const tree = fc.nat(3);
const key = fc.tuple(fc.nat(12), fc.nat(12), fc.nat(12)).map((keys) => keys as readonly number[]);
const prefix = fc.array(fc.nat(14), { minLength: 1, maxLength: 3 });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('set' as const),
      on,
      tree,
      key,
      count: fc.integer({ min: 1, max: 40 }),
      value: fc.nat(0xffff),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('set' as const),
      on,
      tree,
      key,
      count: fc.integer({ min: 100, max: 600 }),
      value: fc.nat(0xffff),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('delete' as const), on, tree, pick: fc.nat(1000) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('deleteRange' as const), on, tree, begin: prefix, end: prefix }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('clear' as const, 'drop' as const), on, tree }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('snapshot' as const, 'remove' as const, 'restore' as const), on }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'begin' as const,
        'begin' as const,
        'commit' as const,
        'commitAsync' as const,
        'rollback' as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('reopen' as const, 'kill' as const, 'view' as const, 'readOnly' as const),
    }),
  },
);

const element = { on, begin: fc.nat(800), count: fc.integer({ min: 1, max: 300 }), value: fc.nat(0xffff) };
const others: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('array' as const, 'bits' as const), ...element }),
  fc.record({ do: fc.constantFrom('array' as const, 'bits' as const), ...element }),
  fc.record({ do: fc.constant('resize' as const), on, length: fc.nat(1200), value: fc.nat(0xffff) }),
  fc.record({ do: fc.constant('diff' as const), on, other: on }),
);

const CONFIGURATIONS = [
  { journalBlocks: 4, cacheBytes: 32 * 4096 },
  { journalBlocks: 16, cacheBytes: 64 * 4096 },
  { cacheBytes: 1024 * 4096 },
];

test(
  'a store does what a model of plain maps does',
  async () => {
    const property = fc.asyncProperty(
      fc.constantFrom(...CONFIGURATIONS),
      fc.array(fc.oneof({ weight: 5, arbitrary: step }, { weight: 1, arbitrary: others }), {
        minLength: 5,
        maxLength: 200,
        size: 'max',
      }),
      async (configuration, steps) => {
        const player = new StorePlayer(configuration);
        for (const next of steps) {
          await player.play(next);
          player.compare();
          player.check();
        }
        await player.settle();
        await player.play({ do: 'readOnly' });
      },
    );
    await fc.assert(property, replay('model', 40));
  },
  timeLimit(300_000),
);
