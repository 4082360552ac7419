import { expect, test } from 'vitest';
import { ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { Bitset } from './bitset.ts';
import { checkBitset } from './check.ts';

test('a bitset is checked as the array of its words', () => {
  const space = new ScratchSpace();
  const root = Bitset.create(space.tm, 1000).flush();
  const blocks: number[] = [];
  expect([...checkBitset(space.tm, root, { length: 1024, onBlock: (b) => blocks.push(b) })]).toEqual([]);
  expect(blocks).toHaveLength(2);
  const codes = [...checkBitset(space.tm, root, { length: 1025 })].map(({ code, message }) => [code, message]);
  expect(codes).toEqual([['array.too-short', `array ${root} has 16 elements, 17 are wanted`]]);
});
