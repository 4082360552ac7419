import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AssertionError, CorruptionError, NoSpaceError } from '../base/index.ts';
import { CoreSpaceMap } from './core-space-map.ts';

const counts = (map: CoreSpaceMap) => Array.from({ length: map.nrBlocks }, (_, b) => map.getCount(b));

test('blocks are handed out in order, once each, with count 1', () => {
  const map = new CoreSpaceMap(4);
  expect([map.newBlock(), map.newBlock(), map.newBlock(), map.newBlock()]).toEqual([0, 1, 2, 3]);
  expect(counts(map)).toEqual([1, 1, 1, 1]);
  expect([map.nrBlocks, map.nrFree]).toEqual([4, 0]);
  const text = 'Cannot allocate a metadata block: all 4 are in use or were until the last commit';
  expect(() => map.newBlock()).toThrow(new NoSpaceError(text, 'metadata'));
});

test('a block freed since the commit is not handed out before the next', () => {
  const map = new CoreSpaceMap(3, 'data');
  for (let i = 0; i < 3; i++) map.newBlock();
  map.commit();
  map.decRange(1, 2);
  expect(map.nrFree).toBe(1);
  expect(() => map.newBlock()).toThrow(expect.objectContaining({ code: 'PDATA_NO_SPACE', space: 'data' }));
  map.commit();
  expect(map.newBlock()).toBe(1);
});

test('a block allocated and freed between two commits can be had again, after the cursor has wrapped', () => {
  const map = new CoreSpaceMap(3);
  map.newBlock();
  map.commit();
  const b = map.newBlock();
  map.decRange(b, b + 1);
  expect([map.newBlock(), map.newBlock()]).toEqual([2, b]);
});

describe('counts', () => {
  test('go from 0 to 2^32 - 1 and back', () => {
    const map = new CoreSpaceMap(2);
    for (let i = 1; i <= 600; i++) {
      map.incRange(1, 2);
      expect([map.getCount(0), map.getCount(1), map.countIsMoreThanOne(1)]).toEqual([0, i, i > 1]);
    }
    map.setCount(1, 2 ** 32 - 1);
    map.decRange(1, 2);
    expect(map.getCount(1)).toBe(2 ** 32 - 2);
    map.setCount(1, 256);
    for (let i = 255; i >= 0; i--) {
      map.decRange(1, 2);
      expect(map.getCount(1)).toBe(i);
    }
    expect(map.nrFree).toBe(2);
  });

  test('never fall below 0', () => {
    const map = new CoreSpaceMap(4);
    map.incRange(1, 3);
    expect(() => map.decRange(2, 4)).toThrow('Cannot decrement the count of block 3: it is 0');
  });

  test('are those of blocks in the space', () => {
    const map = new CoreSpaceMap(4);
    for (const use of [() => map.getCount(4), () => map.incRange(3, 5), () => map.setCount(-1, 1)]) {
      expect(use).toThrow(CorruptionError);
    }
    expect(() => map.countIsMoreThanOne(9)).toThrow('Cannot count block 9: the space has 4 blocks');
  });
});

test('an extension keeps what is there', () => {
  const map = new CoreSpaceMap(2);
  map.newBlock();
  map.newBlock();
  map.setCount(1, 300);
  map.commit();
  map.decRange(0, 1);
  map.extend(2);
  expect(counts(map)).toEqual([0, 300, 0, 0]);
  expect([map.newBlock(), map.newBlock(), map.nrFree]).toEqual([2, 3, 1]);
  expect(() => map.newBlock()).toThrow(NoSpaceError);
  expect(() => map.extend(-1)).toThrow(AssertionError);
});

test('it counts as a plain array does', () => {
  const step = fc.record({
    what: fc.constantFrom('new', 'inc', 'dec', 'set', 'commit', 'extend'),
    b: fc.nat(11),
    length: fc.nat(3),
    count: fc.oneof(fc.nat(5), fc.integer({ min: 250, max: 260 })),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const map = new CoreSpaceMap(8);
      let model = new Array<number>(8).fill(0);
      let committed = model.slice();
      for (const { what, b, length, count } of steps) {
        const end = Math.min(b + length, model.length);
        if (what === 'new') {
          const free = model.flatMap((c, i) => (c === 0 && (committed[i] ?? 0) === 0 ? [i] : []));
          if (free.length === 0) expect(() => map.newBlock()).toThrow(NoSpaceError);
          else {
            const got = map.newBlock();
            expect(free).toContain(got);
            model[got] = 1;
          }
        } else if (what === 'commit') {
          map.commit();
          committed = model.slice();
        } else if (what === 'extend' && model.length < 20) {
          map.extend(length);
          model = [...model, ...new Array<number>(length).fill(0)];
        } else if (what === 'set' && b < model.length) {
          map.setCount(b, count);
          model[b] = count;
        } else if (what === 'inc') {
          map.incRange(b, end);
          for (let i = b; i < end; i++) model[i]!++;
        } else if (what === 'dec' && model.slice(b, end).every((c) => c > 0)) {
          map.decRange(b, end);
          for (let i = b; i < end; i++) model[i]!--;
        }
        expect(counts(map)).toEqual(model);
        expect(map.nrFree).toBe(model.filter((c) => c === 0).length);
      }
    }),
  );
});
