import { describe, expect, test } from 'vitest';
import { ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { StateError } from '../base/index.ts';
import { Bitset } from './bitset.ts';
import { checkBitset } from './check.ts';

const PER_BLOCK = 509 * 64;

function contentOf(bits: Bitset, length: number): number[] {
  const found: number[] = [];
  for (let i = bits.nextSet(0, length); i >= 0; i = bits.nextSet(i + 1, length)) found.push(i);
  return found;
}

describe('one word in core', () => {
  test('bits of one word are changed without a write, and a test of another word writes it', () => {
    const space = new ScratchSpace();
    const bits = Bitset.create(space.tm, 1000);
    const root = bits.flush();
    space.commit();
    const { size } = space.counts();
    for (const i of [0, 31, 32, 63]) bits.set(i);
    bits.clear(31);
    expect([0, 31, 32, 33, 63].map((i) => bits.test(i))).toEqual([true, false, true, false, true]);
    expect([space.counts().size, space.tm.nrShadows, bits.isDirty]).toEqual([size, 0, true]);
    expect(bits.test(64)).toBe(false);
    expect([space.tm.nrShadows, bits.isDirty]).toEqual([2, false]);
    const changed = bits.flush();
    expect(changed).not.toBe(root);
    expect(new Bitset(space.tm, changed).test(63)).toBe(true);
  });

  test('a test alone changes nothing', () => {
    const space = new ScratchSpace();
    const root = Bitset.create(space.tm, 1000, (i) => i % 3 === 0).flush();
    space.commit();
    const bits = new Bitset(space.tm, root);
    for (let i = 0; i < 1000; i++) if (bits.test(i) !== (i % 3 === 0)) throw new Error(`bit ${i}`);
    expect([bits.flush(), space.tm.nrShadows]).toEqual([root, 0]);
  });

  test('what is not flushed is not in the array', () => {
    const space = new ScratchSpace();
    const bits = Bitset.create(space.tm, 100);
    const root = bits.flush();
    bits.set(5);
    expect(new Bitset(space.tm, root).test(5)).toBe(false);
    expect(new Bitset(space.tm, bits.flush()).test(5)).toBe(true);
  });

  test('a use beyond the end is refused and harmless', () => {
    const space = new ScratchSpace();
    const bits = Bitset.create(space.tm, 100);
    bits.set(99);
    const past = () => bits.set(128);
    expect(past).toThrow(new StateError("Cannot use bit 128: it is beyond the bitset's end"));
    expect(() => bits.setRange(0, 200)).toThrow(StateError);
    expect(() => bits.count(0, 200)).toThrow(StateError);
    bits.test(0);
    for (const index of [-1, 0.5, Number.NaN]) {
      for (const use of [() => bits.test(index), () => bits.setRange(index, 5), () => bits.nextSet(0, index)]) {
        expect(use).toThrow(RangeError);
      }
    }
    expect([bits.test(99), space.tm.broken]).toEqual([true, undefined]);
  });
});

describe.each([1, 63, 64, 65, 1000, PER_BLOCK - 1, PER_BLOCK, PER_BLOCK + 1, 3 * PER_BLOCK + 100])(
  '%i bits',
  (length) => {
    test('ranges, counts and searches agree with a plain set', () => {
      const space = new ScratchSpace();
      const bits = Bitset.create(space.tm, length);
      let seed = length;
      const random = (below: number) => {
        seed = (seed * 48271) % 2147483647;
        return seed % below;
      };
      const model = new Uint8Array(length);
      for (let step = 0; step < 30; step++) {
        const begin = random(length);
        const end = Math.min(length, begin + random(random(2) === 0 ? 100 : length + 1));
        const kind = random(4);
        if (kind === 0) bits.setRange(begin, end);
        else if (kind === 1) bits.clearRange(begin, end);
        else if (kind === 2) bits.set(begin);
        else bits.clear(begin);
        model.fill(kind % 2 === 0 ? 1 : 0, begin, kind < 2 ? end : begin + 1);
        expect(bits.count(begin, end)).toBe(model.subarray(begin, end).reduce((sum, bit) => sum + bit, 0));
        expect(bits.nextSet(begin, end)).toBe(
          Math.max(begin >= end ? -1 : model.subarray(0, end).indexOf(1, begin), -1),
        );
        expect(bits.nextClear(begin, end)).toBe(begin >= end ? -1 : model.subarray(0, end).indexOf(0, begin));
      }
      const wanted: number[] = [];
      for (let i = 0; i < length; i++) if (model[i] === 1) wanted.push(i);
      expect(contentOf(bits, length)).toEqual(wanted);
      expect([...checkBitset(space.tm, bits.flush(), { length })]).toEqual([]);
      bits.delete();
      expect(space.counts()).toEqual(new Map([[0, 1]]));
    });

    test.each([0, 64, 500, PER_BLOCK, 2 * PER_BLOCK + 64])('become %i', (other) => {
      for (const value of [false, true]) {
        const space = new ScratchSpace();
        const bits = Bitset.create(space.tm, length, (i) => i % 5 === 0);
        bits.set(Math.min(1, length - 1));
        bits.resize(length, other, value);
        const kept = Math.min(length, other);
        const wanted = Array.from({ length: kept }, (_, i) => i).filter(
          (i) => i % 5 === 0 || i === Math.min(1, length - 1),
        );
        expect(contentOf(bits, kept)).toEqual(wanted);
        const fresh = Math.ceil(length / 64) * 64;
        if (other > fresh) expect(bits.count(fresh, other)).toBe(value ? other - fresh : 0);
        expect([...checkBitset(space.tm, bits.flush(), { length: other })]).toEqual([]);
      }
    });
  },
);

test('a set shared with a clone changes only itself', () => {
  const space = new ScratchSpace();
  const bits = Bitset.create(space.tm, 2 * PER_BLOCK);
  bits.set(5);
  const root = bits.flush();
  space.tm.inc(root);
  const clone = new Bitset(space.tm, root);
  clone.setRange(100, 200);
  clone.set(PER_BLOCK);
  clone.flush();
  expect(bits.count(0, 2 * PER_BLOCK)).toBe(1);
  expect(clone.count(0, 2 * PER_BLOCK)).toBe(102);
  clone.delete();
  bits.delete();
  expect(space.counts()).toEqual(new Map([[0, 1]]));
});
