import { expect, test } from 'vitest';
import { MemoryDevice } from '../io/index.ts';
import { applyItem, WHOLE } from './crash-item.ts';

const block = (fill: number) => new Uint8Array(4096).fill(fill);

test('`applyItem()` lets the named sectors arrive and leaves the others as they were', () => {
  for (const mask of [0b1, 0b1000_0000, 0b0101_1010, WHOLE]) {
    const device = MemoryDevice.from(block(1));
    applyItem(device, { kind: 'block', block: 0, bytes: block(2) }, mask);
    const bytes = device.toBytes();
    for (let sector = 0; sector < 8; ++sector) {
      const wanted = mask & (1 << sector) ? 2 : 1;
      expect(bytes.subarray(sector * 512, (sector + 1) * 512).every((byte) => byte === wanted)).toBe(true);
    }
  }
});

test('`applyItem()` loses a block that has no place', () => {
  const device = MemoryDevice.from(block(1));
  applyItem(device, { kind: 'block', block: 1, bytes: block(2) }, WHOLE);
  applyItem(device, { kind: 'block', block: 1, bytes: block(2) }, 1);
  expect(device.toBytes()).toEqual(block(1));
  applyItem(device, { kind: 'length', nrBlocks: 2 }, WHOLE);
  applyItem(device, { kind: 'block', block: 1, bytes: block(2) }, WHOLE);
  expect(device.toBytes()[4096]).toBe(2);
});
