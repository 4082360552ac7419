import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AssertionError } from '../base/index.ts';
import { CacheQueues } from './cache-queues.ts';

const none = { isPinned: () => false };

/** Queues that hold the slots 0 to `count` - 1, taken in in this order. */
function filled(count: number, known = false, capacity = count): CacheQueues {
  const queues = new CacheQueues(capacity);
  for (let slot = 0; slot < count; slot++) queues.add(slot, known);
  return queues;
}

function victims(queues: CacheQueues, count: number): number[] {
  return Array.from({ length: count }, () => queues.victim(none));
}

test('slots that nobody used again go in the order in which they came', () => {
  expect(victims(filled(20), 20)).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

test('a slot that was used again outlives those that were not, but for the last tenth', () => {
  const queues = filled(20);
  queues.used[0] = 1;
  queues.used[7] = 1;
  const order = victims(queues, 20);
  expect(order).toEqual([1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0, 7, 18, 19]);
});

test('a block that was known goes to the main queue, where use gives it another round', () => {
  const queues = filled(20, true);
  queues.used[0] = 1;
  expect(victims(queues, 3)).toEqual([1, 2, 3]);
  expect(victims(queues, 17).at(-1)).toBe(0);
});

test('the main queue keeps nine tenths: a scan goes through probation', () => {
  const queues = filled(90, true, 100);
  for (let slot = 90; slot < 100; slot++) queues.add(slot, false);
  // Each further block of the scan takes the slot of one that came before it in the scan, once probation is above a tenth.
  for (let i = 0; i < 500; i++) {
    queues.add(queues.victim(none), false);
  }
  const left = victims(queues, 100);
  const kept = left.filter((slot) => slot < 90).length;
  expect(kept).toBeGreaterThanOrEqual(89);
});

describe('a pinned slot', () => {
  test.each([false, true])('is never chosen (known blocks: %s)', (known) => {
    const queues = filled(30, known);
    const pinned = { isPinned: (slot: number) => slot % 3 === 0 };
    const chosen = Array.from({ length: 20 }, () => queues.victim(pinned));
    expect(chosen.every((slot) => slot % 3 !== 0)).toBe(true);
    expect(new Set(chosen).size).toBe(20);
    expect(queues.victim(pinned)).toBe(-1);
    // The queues are whole after the vain search.
    expect(victims(queues, 10).sort((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, i) => 3 * i));
  });

  test('does not hide the one that is free, in whichever queue that is', () => {
    for (let free = 0; free < 32; free++) {
      const queues = filled(29, true, 32);
      for (let slot = 29; slot < 32; slot++) queues.add(slot, false);
      expect(queues.victim({ isPinned: (slot) => slot !== free })).toBe(free);
    }
  });
});

test('a slot that is removed is not chosen', () => {
  const queues = filled(5);
  queues.remove(0);
  queues.remove(3);
  expect(victims(queues, 3)).toEqual([1, 2, 4]);
  expect(queues.victim(none)).toBe(-1);
});

test('`clear` forgets all slots', () => {
  const queues = filled(5);
  queues.used[2] = 1;
  queues.clear();
  expect(queues.victim(none)).toBe(-1);
  expect(Array.from(queues.used)).toEqual([0, 0, 0, 0, 0]);
});

test('whatever happens, a slot is in one queue, and a victim was in it', () => {
  const step = fc.record({ what: fc.constantFrom('add', 'remove', 'use', 'victim', 'pin'), slot: fc.nat(15) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queues = new CacheQueues(16);
      const inside = new Set<number>();
      const pinned = new Set<number>();
      for (const { what, slot } of steps) {
        if (what === 'add' && !inside.has(slot)) {
          queues.add(slot, slot % 2 === 0);
          inside.add(slot);
        } else if (what === 'remove' && inside.delete(slot)) {
          queues.remove(slot);
          pinned.delete(slot);
        } else if (what === 'use') {
          queues.used[slot] = 1;
        } else if (what === 'pin' && inside.has(slot) && !pinned.delete(slot)) {
          pinned.add(slot);
        } else if (what === 'victim') {
          const victim = queues.victim({ isPinned: (s) => pinned.has(s) });
          if (victim < 0) expect([...inside].every((s) => pinned.has(s))).toBe(true);
          else expect(inside.delete(victim) && !pinned.has(victim)).toBe(true);
        }
      }
    }),
  );
});

test('to take from an empty queue is an assertion', () => {
  const queues = new CacheQueues(4);
  expect(() => queues.remove(5)).toThrow(AssertionError);
});
