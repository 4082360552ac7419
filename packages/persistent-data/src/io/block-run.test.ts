import { expect, test } from 'vitest';
import { BLOCK_SIZE } from './block-device.ts';
import { checkLength, checkOpen, checkRange, checkRun, MAX_BLOCKS } from './block-run.ts';

const blocks = (...counts: number[]) => counts.map((count) => new Uint8Array(count * BLOCK_SIZE));

test('`checkRun()` counts the blocks of all buffers', () => {
  expect(checkRun('read', 2, blocks(1, 0, 3), 6)).toBe(4);
  expect(checkRun('read', 6, [], 6)).toBe(0);
});

test('`checkRun()` refuses a buffer that is no multiple of 4096 bytes, and says its size', () => {
  expect(() => checkRun('write', 0, [new Uint8Array(4096), new Uint8Array(4095)], 9)).toThrow(
    new RangeError('Cannot write at block 0: a buffer has 4095 bytes, a multiple of 4096 is wanted'),
  );
});

test('`checkRange()` refuses a run that leaves the device, and numbers that are no block numbers', () => {
  for (const [begin, count] of [
    [3, 2],
    [5, 0],
    [-1, 1],
    [0, -1],
    [0.5, 1],
    [Number.NaN, 1],
    [Number.POSITIVE_INFINITY, 0],
  ] as const) {
    expect(() => checkRange('read', begin, count, 4)).toThrow(RangeError);
  }
  expect(() => checkRange('read', 3, 2, 4)).toThrow(
    'Cannot read 2 blocks at block 3: the device has 4 blocks, a run inside it is wanted',
  );
});

test('`checkLength()` takes whole numbers up to the longest device', () => {
  checkLength(0);
  checkLength(MAX_BLOCKS);
  for (const bad of [-1, 1.5, Number.NaN, MAX_BLOCKS + 1]) expect(() => checkLength(bad)).toThrow(RangeError);
});

test('`checkOpen()` says what was tried on a closed device', () => {
  checkOpen(false, 'read');
  expect(() => checkOpen(true, 'flush')).toThrow('Cannot flush: the device is closed, an open one is wanted');
});
