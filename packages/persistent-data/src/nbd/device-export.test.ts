import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BLOCK_SIZE, MemoryDevice, ReadOnlyDevice } from '../io/index.ts';
import { deviceExport } from './device-export.ts';

const SIZE = 5 * BLOCK_SIZE;
const range = fc.tuple(fc.nat(SIZE - 1), fc.integer({ min: 1, max: SIZE })).map(([offset, length]) => ({
  offset,
  length: Math.min(length, SIZE - offset),
}));

test('any byte can be read and written, as in an array', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ range, value: fc.nat(255), zero: fc.boolean() }), { maxLength: 20 }),
      range,
      (writes, last) => {
        const device = new MemoryDevice({ nrBlocks: 5 });
        const served = deviceExport(device);
        const model = new Uint8Array(SIZE);
        for (const {
          range: { offset, length },
          value,
          zero,
        } of writes) {
          if (zero) served.writeZeroes!(offset, length, { noHole: true, fast: false });
          else served.write!(offset, new Uint8Array(length).fill(value));
          model.fill(zero ? 0 : value, offset, offset + length);
        }
        const into = new Uint8Array(last.length);
        void served.read(last.offset, into);
        expect(Buffer.compare(into, model.subarray(last.offset, last.offset + last.length))).toBe(0);
        expect(Buffer.compare(device.toBytes(), model)).toBe(0);
      },
    ),
  );
});

test('only whole blocks are discarded, and fast zeroes are refused', () => {
  const calls: number[][] = [];
  const device = new MemoryDevice({ nrBlocks: 5 });
  device.discard = (begin, count) => void calls.push([begin, count]);
  const served = deviceExport(device);
  served.trim!(0, SIZE);
  served.trim!(1, 2 * BLOCK_SIZE);
  served.trim!(1, BLOCK_SIZE);
  expect(calls).toEqual([
    [0, 5],
    [1, 1],
  ]);
  expect(() => served.writeZeroes!(0, 1, { noHole: false, fast: true })).toThrow(
    expect.objectContaining({ errno: 'ENOTSUP' }),
  );
});

test('what a device is, and lacks, shows', async () => {
  const device = new ReadOnlyDevice(new MemoryDevice({ nrBlocks: 5 }));
  const served = deviceExport(device, { description: 'd', blockSize: { min: 512, preferred: 4096, max: 65536 } });
  expect([served.size, served.readOnly, served.description, served.blockSize?.min]).toEqual([SIZE, true, 'd', 512]);
  await served.flush();
  expect(deviceExport(new MemoryDevice({ nrBlocks: 1 }), { readOnly: true }).readOnly).toBe(true);
});
