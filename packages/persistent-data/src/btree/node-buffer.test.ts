import { expect, test } from 'vitest';
import { ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { NodeBuffer } from './node-buffer.ts';

test('a node is written when a second one is full and a third begins; bytes behind its entries are zero', () => {
  const space = new ScratchSpace();
  const written: number[][] = [];
  const buffer = new NodeBuffer(space.tm, { isLeaf: true, valueSize: 1346 }, (node, block) => {
    written.push(Array.from({ length: node.nrEntries }, (_, i) => node.keyAt(i)));
    const stored = space.node(block);
    const end = stored.valueAt(node.nrEntries);
    expect(stored.slab.bytes.subarray(end, (stored.base + 1024) * 4).every((byte) => byte === 0)).toBe(true);
  });
  for (let key = 0; key < 10; key++) {
    const at = buffer.append(0, key);
    buffer.slab.bytes.fill(255, at, at + 1346);
    expect(written).toHaveLength(key < 6 ? 0 : key < 9 ? 1 : 2);
  }
  expect(buffer.pending).toBe(4);
  buffer.flush();
  expect(written).toEqual([
    [0, 1, 2],
    [3, 4, 5],
    [6, 7],
    [8, 9],
  ]);
  expect(buffer.pending).toBe(0);
  buffer.append(0, 11);
  const back: number[] = [];
  buffer.takeBack((_slab, _high, low) => back.push(low));
  expect([back, buffer.pending]).toEqual([[11], 0]);
});
