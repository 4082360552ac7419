import { expect, test } from 'vitest';
import { countedType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { writeU64 } from '../btree/index.ts';
import { ARRAY_VALIDATOR, ArrayBlockView } from '../format/index.ts';
import { arrayBlockType, readArrayBlock } from './block-type.ts';

test('giving up the last reference to an array block gives up its elements', () => {
  const space = new ScratchSpace();
  const counts = new Map([[5, 2]]);
  const elements = countedType(8, counts);
  const { slab } = space.blockManager;
  const base = space.tm.newBlock(ARRAY_VALIDATOR);
  const block = space.blockManager.blockAt(base);
  const view = new ArrayBlockView(slab, base);
  view.setHeader(8);
  view.nrEntries = 2;
  for (const i of [0, 1]) elements.write(slab, view.valueAt(i), 5);
  space.tm.unlock(base);
  const type = arrayBlockType(space.tm, elements, new ArrayBlockView(slab));
  const scratch = {
    ...slab,
    words: new Uint32Array(2),
    bytes: new Uint8Array(8),
    view: new DataView(new ArrayBuffer(8)),
  };
  writeU64(scratch, 0, block);
  type.inc!(scratch, 0, 1);
  expect(space.spaceMap.getCount(block)).toBe(2);
  type.dec!(scratch, 0, 1);
  expect([space.spaceMap.getCount(block), counts.get(5)]).toEqual([1, 2]);
  type.dec!(scratch, 0, 1);
  expect([space.spaceMap.getCount(block), counts.size]).toEqual([0, 0]);
  expect(() => readArrayBlock(space.tm, view, block, 4)).toThrow('1018 values of 4 bytes are wanted');
  expect(type.equal!(scratch, 0, scratch, 0)).toBe(true);
});
