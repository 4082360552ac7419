import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { MAX_LEVELS, TreeContext } from './tree-context.ts';
import { forEachRun, PLAIN_U32, PLAIN_U64, readU64, writeU64 } from './value-type.ts';

test('keys are split into halves, one for each level', () => {
  const space = new ScratchSpace({ nrBlocks: 64 });
  const context = new TreeContext(space.tm, 2, patternType(8));
  context.setKeys([2 ** 32 + 5, 2n ** 64n - 1n]);
  expect([[...context.keyHigh], [...context.keyLow]]).toEqual([
    [1, 0xffff_ffff],
    [5, 0xffff_ffff],
  ]);
  context.setKeys([7], 1);
  expect([context.keyHigh[0], context.keyLow[0]]).toEqual([0, 7]);
  expect(() => context.setKeys(7)).toThrow('Cannot use one key: the tree has 2 levels');
  expect(() => context.setKeys([1, 2, 3])).toThrow('Cannot use 3 keys: the tree has 2 levels');
  expect([context.levelType(0).name, context.levelType(1).name, MAX_LEVELS]).toEqual([
    'block',
    'pattern of 8 bytes',
    8,
  ]);
});

test('numbers in runs', () => {
  const runs = (numbers: readonly number[]) => {
    const found: number[][] = [];
    forEachRun(
      numbers.length,
      (i) => numbers[i]!,
      (begin, end) => found.push([begin, end]),
    );
    return found;
  };
  expect(runs([])).toEqual([]);
  expect(runs([5])).toEqual([[5, 6]]);
  expect(runs([1, 2, 3, 7, 8, 3, 3])).toEqual([
    [1, 4],
    [7, 9],
    [3, 4],
    [3, 4],
  ]);
});

test('plain values are little-endian', () => {
  const { slab } = new ScratchSpace({ nrBlocks: 64 }).blockManager;
  writeU64(slab, 8, 2 ** 40 + 3);
  expect([readU64(slab, 8), PLAIN_U64.read(slab, 8), slab.bytes[8], slab.bytes[13]]).toEqual([
    2 ** 40 + 3,
    2 ** 40 + 3,
    3,
    1,
  ]);
  PLAIN_U32.write(slab, 4, 0xffff_fffe);
  expect([PLAIN_U32.read(slab, 4), slab.bytes[4]]).toEqual([0xffff_fffe, 0xfe]);
});
