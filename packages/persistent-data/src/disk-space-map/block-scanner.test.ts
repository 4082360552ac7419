import { expect, test } from 'vitest';
import { DeviceError } from '../base/index.ts';
import { NODE_VALIDATOR } from '../format/index.ts';
import { BLOCK_SIZE, type BlockDevice, MemoryDevice } from '../io/index.ts';
import { BlockScanner } from './block-scanner.ts';

/** A device of which block b is filled with b, and that notes its reads. */
function numbered(nrBlocks: number, bad: readonly number[] = []): { device: BlockDevice; reads: [number, number][] } {
  const bytes = new Uint8Array(nrBlocks * BLOCK_SIZE);
  for (let b = 0; b < nrBlocks; b++) bytes.fill(b, b * BLOCK_SIZE, (b + 1) * BLOCK_SIZE);
  const device = MemoryDevice.from(bytes);
  const reads: [number, number][] = [];
  const read = (begin: number, buffers: readonly Uint8Array[]): void => {
    const count = buffers[0]!.length / BLOCK_SIZE;
    reads.push([begin, count]);
    if (bad.some((b) => b >= begin && b < begin + count)) throw new DeviceError('Cannot read');
    device.read(begin, buffers);
  };
  const wrapped = { nrBlocks, readOnly: true, read, write: device.write, flush: device.flush, close: device.close };
  return { device: wrapped, reads };
}

test('`load()` reads neighbours with one call, in order of numbers, and knows where each block is', () => {
  const { device, reads } = numbered(32);
  const scanner = new BlockScanner(device, 8);
  const blocks = [9, 3, 20, 8, 4, 5];
  scanner.load(blocks, blocks.length);
  expect(reads).toEqual([
    [3, 3],
    [8, 2],
    [20, 1],
  ]);
  expect(blocks.map((_, i) => scanner.slab.bytes[scanner.base(i) * 4])).toEqual(blocks);
  expect(scanner.nrRead).toBe(6);
});

test('`load()` takes the first blocks of a longer list, and none', () => {
  const { device, reads } = numbered(32);
  const scanner = new BlockScanner(device, 8);
  scanner.load(Float64Array.of(1, 2, 30), 2);
  scanner.load([], 0);
  expect(reads).toEqual([[1, 2]]);
});

test('a block that cannot be read does not take its neighbours with it', () => {
  const { device } = numbered(32, [5]);
  const scanner = new BlockScanner(device, 8);
  scanner.load([4, 5, 6], 3);
  expect(scanner.problem(1, 5, NODE_VALIDATOR)).toBeInstanceOf(DeviceError);
  expect([0, 2].map((i) => scanner.slab.bytes[scanner.base(i) * 4])).toEqual([4, 6]);
  scanner.loadOne(5);
  expect(scanner.problem(0, 5, NODE_VALIDATOR)?.message).toBe('Cannot read');
  scanner.loadOne(4);
  expect(scanner.problem(0, 4, NODE_VALIDATOR)?.message).toContain('blocknr');
});
