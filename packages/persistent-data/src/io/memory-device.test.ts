import { expect, test } from 'vitest';
import { MemoryDevice } from './memory-device.ts';

const block = (fill: number) => new Uint8Array(4096).fill(fill);

function byteAt(device: MemoryDevice, blockNr: number): number {
  const buffer = block(0xff);
  device.read(blockNr, [buffer]);
  return buffer[17]!;
}

test('`MemoryDevice` takes memory only for what was written', () => {
  const device = new MemoryDevice({ nrBlocks: 2 ** 40 });
  device.write(2 ** 40 - 1, [block(7)]);
  expect(byteAt(device, 2 ** 40 - 1)).toBe(7);
  expect(byteAt(device, 2 ** 39)).toBe(0);
  device.discard(0, 2 ** 40);
  expect(byteAt(device, 2 ** 40 - 1)).toBe(0);
});

test('`MemoryDevice.from()` copies the bytes, without a tail', () => {
  const bytes = new Uint8Array(2 * 4096 + 100).fill(3);
  const device = MemoryDevice.from(bytes);
  bytes.fill(4);
  expect(device.nrBlocks).toBe(2);
  expect(device.toBytes()).toEqual(new Uint8Array(2 * 4096).fill(3));
});

test('`MemoryDevice.toBytes()` is a copy, and works after closing', () => {
  const device = new MemoryDevice({ nrBlocks: 40 });
  device.write(39, [block(1)]);
  device.close();
  const bytes = device.toBytes();
  expect(bytes.length).toBe(40 * 4096);
  expect(bytes[39 * 4096]).toBe(1);
  bytes.fill(9);
  expect(device.toBytes()[39 * 4096]).toBe(1);
});

test('`MemoryDevice.fork()` shares nothing that either side changes', () => {
  const device = new MemoryDevice({ nrBlocks: 40 });
  for (let i = 0; i < 40; ++i) device.write(i, [block(1)]);
  const first = device.fork();
  const second = first.fork();
  device.write(3, [block(2)]);
  first.write(20, [block(3)]);
  second.resize(10);
  second.resize(40);
  expect([3, 4, 20, 30].map((nr) => byteAt(device, nr))).toEqual([2, 1, 1, 1]);
  expect([3, 4, 20, 30].map((nr) => byteAt(first, nr))).toEqual([1, 1, 3, 1]);
  expect([3, 4, 20, 30].map((nr) => byteAt(second, nr))).toEqual([1, 1, 0, 0]);
});

test('`MemoryDevice.fork()` of a closed device is the same disk, opened again', () => {
  const device = new MemoryDevice({ nrBlocks: 2 });
  device.write(1, [block(5)]);
  device.close();
  expect(byteAt(device.fork(), 1)).toBe(5);
});

test('`MemoryDevice.discard()` leaves blocks outside the range alone, in pieces shared or not', () => {
  const device = new MemoryDevice({ nrBlocks: 64 });
  for (let i = 0; i < 64; ++i) device.write(i, [block(1)]);
  device.discard(15, 20);
  const kept = Array.from({ length: 64 }, (_, nr) => nr).filter((nr) => byteAt(device, nr) === 1);
  expect(kept.filter((nr) => nr < 15 || nr >= 35)).toHaveLength(44);
});
