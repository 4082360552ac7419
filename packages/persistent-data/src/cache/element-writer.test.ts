import { expect, test } from 'vitest';
import { ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { checkArray, PersistentArray } from '../array/index.ts';
import { PLAIN_U32, PLAIN_U64 } from '../btree/index.ts';
import { ElementWriter } from './element-writer.ts';

test.each([0, 1, 508, 509, 510, 1019, 40_000])('%i elements, a few of them given', (length) => {
  for (const type of [PLAIN_U32, PLAIN_U64]) {
    const valueSize = type.size === 4 ? 4 : 8;
    const space = new ScratchSpace();
    const writer = new ElementWriter(space.tm, valueSize, length);
    const some = [0, 1, ...Array.from({ length: 1100 }, (_, i) => i + 3), 30_000, length - 1];
    const rising = [...new Set(some.filter((i) => i >= 0 && i < length))].sort((a, b) => a - b);
    for (const index of rising) {
      const at = writer.at(index);
      writer.words[at] = index + 1;
      if (valueSize === 8) writer.words[at + 1] = 0;
    }
    const root = writer.finish();
    expect([...checkArray(space.tm, root, { valueSize, length })]).toEqual([]);
    const found: number[] = [];
    new PersistentArray(space.tm, type).walk(root, (index, value) => {
      if (value !== 0) found.push(index, value);
    });
    expect(found).toEqual(rising.flatMap((index) => [index, index + 1]));
  }
});
