import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShadowSet } from './shadow-set.ts';

test('it remembers the blocks of a transaction, near and far', () => {
  const set = new ShadowSet();
  const blocks = [0, 1, 31, 32, 1023 * 32, 32768, 4_161_599];
  for (const b of blocks) {
    expect([set.has(b), set.isOwned(b)]).toEqual([false, false]);
    set.add(b);
    set.add(b);
    expect([set.has(b), set.isOwned(b)]).toEqual([true, true]);
  }
  expect(set.size).toBe(blocks.length);
  expect([set.has(2), set.has(2 ** 30)]).toEqual([false, false]);
  set.clear();
  expect(set.size).toBe(0);
  for (const b of blocks) expect([set.has(b), set.isOwned(b)]).toEqual([false, false]);
});

test('a block that got a second reference is still in the set, but not known to have one', () => {
  const set = new ShadowSet();
  for (const b of [5, 6, 7]) set.add(b);
  set.share(6, 7);
  set.share(2 ** 24, 2 ** 24 + 10);
  expect([5, 6, 7].map((b) => [set.has(b), set.isOwned(b)])).toEqual([
    [true, true],
    [true, false],
    [true, true],
  ]);
  // Allocated again after it was freed: one reference once more.
  set.add(6);
  expect([set.isOwned(6), set.size]).toEqual([true, 3]);
});

test('it answers as two sets do', () => {
  const step = fc.record({
    what: fc.constantFrom('add', 'add', 'add', 'share', 'clear'),
    b: fc.nat(70_000),
    length: fc.nat(40),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const set = new ShadowSet();
      const members = new Set<number>();
      const owned = new Set<number>();
      for (const { what, b, length } of steps) {
        if (what === 'add') {
          set.add(b);
          members.add(b);
          owned.add(b);
        } else if (what === 'share') {
          set.share(b, b + length);
          for (let i = b; i < b + length; i++) owned.delete(i);
        } else {
          set.clear();
          members.clear();
          owned.clear();
        }
      }
      expect(set.size).toBe(members.size);
      for (const { b } of steps) expect([set.has(b), set.isOwned(b)]).toEqual([members.has(b), owned.has(b)]);
    }),
  );
});
