import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AssertionError, CorruptionError, Slab } from '../base/index.ts';
import {
  INTERNAL_MAX_ENTRIES,
  MAX_VALUE_SIZE,
  maxEntriesFor,
  NODE_FLAG_INTERNAL,
  NODE_FLAG_LEAF,
  NODE_VALIDATOR,
  NodeView,
} from './btree-node.ts';

const BASE = 1024;

/** A leaf in the second block of a slab, with these keys; value i is `valueSize` bytes of key + i. */
function leaf(keys: readonly number[], valueSize = 8): NodeView {
  const node = new NodeView(Slab.ofSize(3 * 4096), BASE);
  node.setHeader(NODE_FLAG_LEAF, keys.length, valueSize);
  for (const [i, key] of keys.entries()) {
    node.setKey(i, Math.floor(key / 2 ** 32), key >>> 0);
    setValue(node, i, key);
  }
  return node;
}

function setValue(node: NodeView, index: number, key: number): void {
  const at = node.valueAt(index);
  node.slab.bytes.fill((key * 7 + 1) & 0xff, at, at + node.valueSize);
}

/** Keys with the first byte of their values, as stored, whatever the count says. */
function entries(node: NodeView, count = node.nrEntries): [number, number][] {
  return Array.from({ length: count }, (_, i) => [node.keyAt(i), node.slab.bytes[node.valueAt(i)]!]);
}

const entry = (key: number): [number, number] => [key, (key * 7 + 1) & 0xff];

/** Seals the node as block 3 and answers what the validator has against it. */
function problem(node: NodeView): Pick<CorruptionError, 'field' | 'found' | 'expected'> | undefined {
  NODE_VALIDATOR.seal(node.slab, node.base, 3);
  try {
    NODE_VALIDATOR.check(node.slab, node.base, 3);
    return undefined;
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    return { field: error.field, found: error.found, expected: error.expected } as CorruptionError;
  }
}

test.each([
  [4, 336, 2720],
  [8, 252, 2048],
  [12, 201, 1640],
  [16, 168, 1376],
  [24, 126, 1040],
  [MAX_VALUE_SIZE, 3, 56],
])('a node of %i-byte values has room for %i, which begin at byte %i', (valueSize, max, valuesAt) => {
  const node = leaf([], valueSize);
  expect(maxEntriesFor(valueSize)).toBe(max);
  expect(node.maxEntries).toBe(max);
  expect(node.valueAt(0)).toBe(4096 + valuesAt);
  expect(node.valueAt(max)).toBeLessThanOrEqual(2 * 4096);
  expect(INTERNAL_MAX_ENTRIES).toBe(252);
});

test('one more byte than the largest value leaves no room for three', () => {
  expect(maxEntriesFor(MAX_VALUE_SIZE + 1)).toBe(0);
});

test('the worked example of the format is read as it is meant', () => {
  const node = new NodeView(Slab.ofSize(4096));
  const { view } = node.slab;
  view.setUint32(4, 2, true);
  view.setUint32(8, 1, true);
  view.setUint32(16, 5, true);
  view.setUint32(20, 252, true);
  view.setUint32(24, 8, true);
  for (const [i, key] of [0, 1, 2, 3, 7].entries()) view.setUint32(32 + 8 * i, key, true);
  const values = [0x0a00_0000, 0x0b00_0000, 0x0c00_0000, 0x0d00_0000, 0x1400_0001];
  for (const [i, value] of values.entries()) view.setUint32(2048 + 8 * i, value, true);
  NODE_VALIDATOR.seal(node.slab, 0, 1);
  // The stored checksum of that block, bytes 11 21 10 2f.
  expect(node.words[0]).toBe(0x2f10_2111);
  expect([node.isLeaf, node.nrEntries, node.maxEntries, node.valueSize]).toEqual([true, 5, 252, 8]);
  expect([0, 1, 2, 3, 4].map((i) => [node.keyAt(i), node.childAt(i)])).toEqual(
    [0, 1, 2, 3, 7].map((key, i) => [key, values[i]]),
  );
  expect(String(node)).toBe('leaf 5/252 of 8 bytes: 0 1 2 3 7');
});

test('`toString` names the kind and shows the first keys', () => {
  const node = leaf([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  node.setHeader(NODE_FLAG_INTERNAL, 9, 8);
  expect(`${node}`).toBe('internal 9/252 of 8 bytes: 1 2 3 4 5 6 7 8 …');
});

test('keys and children are whole u64s', () => {
  const node = leaf([1, 2]);
  node.setKey(1, 0xffff_ffff, 0xffff_fffe);
  expect([node.keyHigh(1), node.keyLow(1), node.hasKey(1, 0xffff_ffff, 0xffff_fffe)]).toEqual([
    0xffff_ffff,
    0xffff_fffe,
    true,
  ]);
  expect([node.hasKey(1, 0xffff_ffff, 0xffff_ffff), node.hasKey(1, 0xffff_fffe, 0xffff_fffe)]).toEqual([false, false]);
  node.setChild(0, 2 ** 40 + 5);
  expect(node.childAt(0)).toBe(2 ** 40 + 5);
  expect(node.slab.view.getBigUint64(4096 + 2048, true)).toBe(2n ** 40n + 5n);
});

describe('moves inside a node', () => {
  test('`openGap` moves what is behind up, keys and values', () => {
    for (const [index, wanted] of [
      [0, [5, 10, 20, 30]],
      [1, [10, 5, 20, 30]],
      [3, [10, 20, 30, 5]],
    ] as const) {
      const node = leaf([10, 20, 30]);
      node.openGap(index, 0, 5);
      setValue(node, index, 5);
      expect(entries(node)).toEqual(wanted.map(entry));
    }
  });

  test('`deleteAt` moves what is behind down, and leaves the old last entry in its place', () => {
    for (const index of [0, 1, 2]) {
      const node = leaf([10, 20, 30]);
      node.deleteAt(index);
      const left = [10, 20, 30].filter((_, i) => i !== index);
      expect(entries(node)).toEqual(left.map(entry));
      expect(entries(node, 3)).toEqual([...left, 30].map(entry));
    }
  });

  test('`moveEntries` moves either way, without a change of the count', () => {
    const node = leaf([10, 20, 30, 40]);
    node.moveEntries(0, 1, 3);
    expect(entries(node)).toEqual([10, 10, 20, 30].map(entry));
    node.moveEntries(2, 0, 2);
    expect(entries(node)).toEqual([20, 30, 20, 30].map(entry));
    node.moveEntries(3, 1, 0);
    expect(entries(node)).toEqual([20, 30, 20, 30].map(entry));
  });

  test.each([1, 4, 8, 24, 100])('any mixture of them keeps keys and values of %i bytes together', (valueSize) => {
    const change = fc.record({ add: fc.boolean(), at: fc.nat(), key: fc.nat(2 ** 40) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const node = leaf([], valueSize);
        const model: number[] = [];
        for (const { add, at, key } of changes) {
          if (add && model.length < node.maxEntries) {
            const index = at % (model.length + 1);
            node.openGap(index, Math.floor(key / 2 ** 32), key >>> 0);
            setValue(node, index, key);
            model.splice(index, 0, key);
          } else if (model.length > 0) {
            const index = at % model.length;
            node.deleteAt(index);
            model.splice(index, 1);
          }
        }
        expect(entries(node)).toEqual(model.map(entry));
        expect(node.words.subarray(0, BASE).every((word) => word === 0)).toBe(true);
        expect(node.words.subarray(2 * BASE).every((word) => word === 0)).toBe(true);
      }),
    );
  });

  test('misuse is an assertion', () => {
    const full = leaf(Array.from({ length: 252 }, (_, i) => i));
    expect(() => full.openGap(0, 0, 0)).toThrow(new AssertionError('there is room in the node'));
    expect(() => full.moveEntries(0, 1, 252)).toThrow(new AssertionError('the entries fit'));
    const node = leaf([1]);
    expect(() => node.openGap(2, 0, 0)).toThrow(new AssertionError('the gap adjoins the entries'));
    expect(() => node.deleteAt(1)).toThrow(new AssertionError('the entry exists'));
    for (const count of [-1, 253]) {
      expect(() => {
        node.nrEntries = count;
      }).toThrow(new AssertionError('a node holds 0 to maxEntries entries'));
    }
  });
});

describe('copies between nodes', () => {
  const two = (): [NodeView, NodeView] => {
    const left = leaf([10, 20, 30]);
    const right = new NodeView(left.slab, 2 * BASE);
    right.copyGeometry(left);
    return [left, right];
  };

  test('`copyGeometry` takes kind and sizes over, and no entries', () => {
    const [left, right] = two();
    expect([right.isLeaf, right.nrEntries, right.maxEntries, right.valueSize]).toEqual([true, 0, 252, 8]);
    left.setHeader(NODE_FLAG_INTERNAL, 3, 8);
    right.copyGeometry(left);
    expect(right.isLeaf).toBe(false);
  });

  test('`copyEntries` copies keys and values, and leaves the counts alone', () => {
    const [left, right] = two();
    right.copyEntries(1, left, 1, 2);
    right.copyEntries(0, left, 0, 1);
    right.copyEntries(3, left, 0, 0);
    expect(right.nrEntries).toBe(0);
    right.nrEntries = 3;
    expect(entries(right)).toEqual([10, 20, 30].map(entry));
    expect(entries(left)).toEqual([10, 20, 30].map(entry));
  });

  test('misuse is an assertion', () => {
    const [left, right] = two();
    expect(() => right.copyEntries(250, left, 0, 3)).toThrow(new AssertionError('the entries fit'));
    right.setHeader(NODE_FLAG_LEAF, 0, 16);
    expect(() => right.copyEntries(0, left, 0, 1)).toThrow(new AssertionError('both nodes hold values of one size'));
  });
});

test('`lowerBound` answers the largest index with a key at most the wanted one', () => {
  const small = fc.nat(40);
  // Keys around 2^32 as well, where the upper halves come in.
  const key = fc.oneof(
    small,
    small.map((n) => 2 ** 32 - 20 + n),
    small.map((n) => 2 ** 40 + n),
  );
  fc.assert(
    fc.property(fc.uniqueArray(key, { maxLength: 60 }), fc.array(key, { maxLength: 20 }), (keys, wanted) => {
      keys.sort((a, b) => a - b);
      const node = leaf(keys);
      for (const k of [...wanted, ...keys]) {
        const index = keys.findLastIndex((other) => other <= k);
        expect(node.lowerBound(Math.floor(k / 2 ** 32), k >>> 0)).toBe(index);
      }
    }),
    { numRuns: 500 },
  );
});

test('`lowerBoundBetween` finds the same between any bounds, and stays inside the node whatever they are', () => {
  const keys = fc.uniqueArray(fc.nat(5000), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(keys, fc.nat(100), fc.nat(100), fc.nat(5000), (list, before, behind, wrong) => {
      list.sort((a, b) => a - b);
      const node = leaf(list);
      const first = Math.max(list[0]! - before, 0);
      const final = list.at(-1)! + 1 + behind;
      for (let low = first; low < final; low += 7) {
        expect(node.lowerBoundBetween(low, first, final)).toBe(list.findLastIndex((key) => key <= low));
        const lost = node.lowerBoundBetween(low, wrong, first);
        expect(lost >= -1 && lost < list.length).toBe(true);
      }
    }),
    { numRuns: 200 },
  );
  expect(leaf([]).lowerBoundBetween(5, 0, 10)).toBe(-1);
  expect(leaf([3]).lowerBoundBetween(5, 5, 5)).toBe(0);
});

describe('the validator believes no impossible geometry', () => {
  const NR_ENTRIES = BASE + 4;
  const MAX_ENTRIES = BASE + 5;
  const VALUE_SIZE = BASE + 6;

  test('a leaf and an internal node pass', () => {
    const node = leaf([1, 2]);
    expect(problem(node)).toBeUndefined();
    expect(problem(leaf([]))).toBeUndefined();
    node.setHeader(NODE_FLAG_INTERNAL, 2, 8);
    expect(problem(node)).toBeUndefined();
  });

  test('`maxEntries` and `valueSize` fit into a block, also where their product would wrap', () => {
    for (const [max, size] of [
      [255, 8],
      [240, 9],
      [0xffff_ffff, 0xffff_ffff],
      [0x8000_0000, 0],
      [1, 0xffff_fff8],
      [509, 0],
    ] as const) {
      const node = leaf([1]);
      node.words[MAX_ENTRIES] = max;
      node.words[VALUE_SIZE] = size;
      expect(problem(node)).toEqual({
        field: 'maxEntries',
        found: max,
        expected: `room for maxEntries ${max} of valueSize ${size} in 4096 bytes`,
      });
    }
    // 32 + 254 * 16 = 4096 is the last that fits. No node of ours has it, but it can be read.
    const node = leaf([1]);
    node.words[MAX_ENTRIES] = 254;
    expect(problem(node)).toBeUndefined();
  });

  test('`nrEntries` is at most `maxEntries`', () => {
    for (const nr of [253, 300, 0xffff_ffff]) {
      const node = leaf([1]);
      node.words[NR_ENTRIES] = nr;
      expect(problem(node)).toEqual({ field: 'nrEntries', found: nr, expected: 'at most maxEntries 252' });
    }
  });

  test('exactly one of the two flags is set', () => {
    for (const flags of [0, 3, 4, 0x8000_0002]) {
      const node = leaf([1]);
      node.setHeader(flags, 1, 8);
      expect(problem(node)).toEqual({ field: 'flags', found: flags, expected: '1 (internal) or 2 (leaf)' });
    }
  });

  test('an internal node has children, of 8 bytes', () => {
    const node = leaf([1], 24);
    node.words[BASE + 1] = NODE_FLAG_INTERNAL;
    expect(problem(node)).toEqual({ field: 'valueSize', found: 24, expected: '8 in an internal node' });
    node.setHeader(NODE_FLAG_INTERNAL, 0, 8);
    expect(problem(node)).toEqual({ field: 'nrEntries', found: 0, expected: 'at least 1 in an internal node' });
  });
});
