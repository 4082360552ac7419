import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AssertionError, CorruptionError } from '../base/index.ts';
import { BITMAP_VALIDATOR } from '../format/index.ts';
import { SlotTable } from './slot-table.ts';

const neverDirty = () => {
  throw new Error('a clean block was written');
};

test('a slot holds its block until another one takes it', () => {
  const table = new SlotTable(4);
  const slots = [10, 11, 12, 13].map((b) => table.take(b, neverDirty));
  expect(new Set(slots).size).toBe(4);
  expect([10, 11, 12, 13].map((b) => table.slotOf(b))).toEqual(slots);
  expect(table.nrCached).toBe(4);
  const slot = table.take(14, neverDirty);
  expect(slot).toBe(slots[0]);
  expect([table.slotOf(10), table.slotOf(14)]).toEqual([expect.any(Number), slot]);
  expect(table.slotOf(10)).toBeLessThan(0);
  expect(table.nrCached).toBe(4);
});

test('slots are taken in order of their places, so that memory is touched as far as it is used', () => {
  const table = new SlotTable(100);
  expect([5, 6, 7].map((b) => table.take(b, neverDirty))).toEqual([0, 1, 2]);
  expect([table.nrCached, table.validators.length]).toEqual([3, 3]);
  table.drop(1);
  expect([8, 9].map((b) => table.take(b, neverDirty))).toEqual([1, 3]);
  table.reset();
  expect([table.nrCached, table.validators.length, table.take(5, neverDirty)]).toEqual([0, 0, 0]);
});

test('a dirty victim is handed over before its slot is reused', () => {
  const table = new SlotTable(2);
  for (const b of [1, 2]) {
    const slot = table.take(b, neverDirty);
    table.lockForWriting(slot);
    table.unlock(slot);
  }
  const cleaned: number[] = [];
  table.take(3, (victim) => {
    cleaned.push(table.blockOf[victim]!);
    expect(table.dirtyBatch(victim, 10).map((slot) => table.blockOf[slot])).toEqual([1, 2]);
    expect(table.dirtyBatch(victim, 1)).toEqual([victim]);
    table.markClean(victim);
  });
  expect(cleaned).toEqual([1]);
  expect(table.nrDirty).toBe(1);
});

test('a batch of dirty slots leaves out those that somebody has locked', () => {
  const table = new SlotTable(4);
  const [a, b, c] = [1, 2, 3].map((block) => table.take(block, neverDirty)) as [number, number, number];
  for (const slot of [a, b, c]) table.lockForWriting(slot);
  table.unlock(a);
  table.unlock(c);
  table.lockForReading(c);
  expect(table.dirtyBatch(a, 10)).toEqual([a]);
  table.unlock(c);
  expect(table.dirtyBatch(a, 10)).toEqual([a, c]);
});

test('locks: many readers or one writer, and misuse is told by whose fault it is', () => {
  const table = new SlotTable(2);
  const slot = table.take(7, neverDirty);
  table.validators[slot] = BITMAP_VALIDATOR;
  table.lockForReading(slot);
  table.lockForReading(slot);
  expect([table.nrLocked, table.isLocked(slot), table.isWriteLocked(slot)]).toEqual([2, true, false]);
  // Two ways that lead to one block: the disk's fault.
  expect(() => table.lockForWriting(slot)).toThrow(CorruptionError);
  expect(() => table.pin(slot)).toThrow(
    'Cannot lock bitmap block 7: it is in use already, so something refers to it twice',
  );
  table.unlock(slot);
  table.unlock(slot);
  // Given back twice: ours.
  expect(() => table.unlock(slot)).toThrow(AssertionError);
  table.pin(slot);
  expect([table.isWriteLocked(slot), table.isDirty(slot)]).toEqual([true, false]);
  table.unlock(slot);
  table.lockForWriting(slot);
  expect([table.isWriteLocked(slot), table.isDirty(slot), table.nrLocked]).toEqual([true, true, 1]);
  expect(() => table.pin(slot)).toThrow(CorruptionError);
});

test('a lock on a block of unknown kind is told as such', () => {
  const table = new SlotTable(2);
  const slot = table.take(7, neverDirty);
  table.pin(slot);
  expect(() => table.pin(slot)).toThrow('Cannot lock unknown block 7');
});

test('no slot to take, as all are locked, is an assertion', () => {
  const table = new SlotTable(2);
  for (const b of [1, 2]) table.lockForReading(table.take(b, neverDirty));
  expect(() => table.take(3, neverDirty)).toThrow(new AssertionError('some block of the cache is not locked'));
  expect([table.slotOf(1) >= 0, table.slotOf(2) >= 0, table.nrLocked]).toEqual([true, true, 2]);
});

test('to drop a slot gives back its locks, its dirt and its kind', () => {
  const table = new SlotTable(2);
  const slot = table.take(7, neverDirty);
  table.validators[slot] = BITMAP_VALIDATOR;
  table.lockForWriting(slot);
  table.drop(slot);
  expect([table.nrLocked, table.nrDirty, table.nrCached, table.validators[slot]]).toEqual([0, 0, 0, undefined]);
  expect(table.slotOf(7)).toBeLessThan(0);
  const reader = table.take(8, neverDirty);
  table.lockForReading(reader);
  table.lockForReading(reader);
  table.drop(reader);
  expect(table.nrLocked).toBe(0);
});

test('`forgetFrom` drops the blocks beyond, and only those', () => {
  const table = new SlotTable(8);
  for (const b of [0, 5, 6, 7]) table.lockForWriting(table.take(b, neverDirty));
  for (const b of [0, 5, 6, 7]) table.unlock(table.slotOf(b));
  table.forgetFrom(6);
  expect([0, 5, 6, 7].map((b) => table.slotOf(b) >= 0)).toEqual([true, true, false, false]);
  expect(table.dirtySlots().map((slot) => table.blockOf[slot])).toEqual([0, 5]);
});

test('a block that is read again soon after its eviction is remembered, one much later is not', () => {
  const capacity = 40;
  const scan = (table: SlotTable, begin: number, end: number) => {
    for (let b = begin; b < end; b++) table.take(b, neverDirty);
  };
  const survives = (gap: number): boolean => {
    const table = new SlotTable(capacity);
    scan(table, 0, capacity + 1);
    expect(table.slotOf(0)).toBeLessThan(0);
    scan(table, 1000, 1000 + gap);
    table.take(0, neverDirty);
    // Longer than probation: only a block in the main queue is still there.
    scan(table, 2000, 2000 + 2 * capacity);
    return table.slotOf(0) >= 0;
  };
  expect([survives(0), survives(capacity - 2), survives(2 * capacity)]).toEqual([true, true, false]);
});

test('the lists of dirty, locked and free slots agree with a plain model', () => {
  const step = fc.record({
    what: fc.constantFrom('take', 'write', 'read', 'unlock', 'clean', 'drop', 'rename', 'reset', 'dirty'),
    b: fc.nat(11),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const table = new SlotTable(8);
      const model = new Map<number, { locks: number; dirty: boolean }>();
      const clean = (victim: number) => {
        const b = table.blockOf[victim]!;
        expect(model.get(b)).toEqual({ locks: 0, dirty: true });
        table.markClean(victim);
      };
      for (const { what, b } of steps) {
        const block = model.get(b);
        const slot = table.slotOf(b);
        expect(slot >= 0).toBe(block !== undefined);
        if (what === 'reset') {
          table.reset();
          model.clear();
        } else if (what === 'dirty') {
          const dirty = table.dirtySlots().map((s) => table.blockOf[s]);
          expect(dirty.sort()).toEqual([...model].flatMap(([key, { dirty }]) => (dirty ? [key] : [])).sort());
        } else if (block === undefined) {
          if (what !== 'take' || ![...model.values()].some(({ locks }) => locks === 0 || model.size < 8)) continue;
          table.take(b, clean);
          for (const key of model.keys()) if (table.slotOf(key) < 0) model.delete(key);
          model.set(b, { locks: 0, dirty: false });
        } else if (what === 'write' && block.locks === 0) {
          table.lockForWriting(slot);
          Object.assign(block, { locks: -1, dirty: true });
        } else if (what === 'read' && block.locks >= 0) {
          table.lockForReading(slot);
          block.locks++;
        } else if (what === 'unlock' && block.locks !== 0) {
          table.unlock(slot);
          block.locks = block.locks < 0 ? 0 : block.locks - 1;
        } else if (what === 'clean') {
          table.markClean(slot);
          block.dirty = false;
        } else if (what === 'drop') {
          table.drop(slot);
          model.delete(b);
        } else if (what === 'rename' && block.locks === 0) {
          const to = (b + 1) % 12;
          if (model.get(to) !== undefined && model.get(to)!.locks !== 0) {
            expect(() => table.rename(slot, to)).toThrow(CorruptionError);
          } else {
            table.rename(slot, to);
            expect([table.slotOf(to), table.slotOf(b) < 0, table.blockOf[slot]]).toEqual([slot, true, to]);
            model.delete(b);
            model.set(to, block);
          }
        }
        const all = [...model.values()];
        expect(table.nrCached).toBe(model.size);
        expect(table.nrDirty).toBe(all.filter(({ dirty }) => dirty).length);
        expect(table.nrLocked).toBe(all.reduce((sum, { locks }) => sum + Math.abs(locks), 0));
      }
    }),
    { numRuns: 300 },
  );
});
