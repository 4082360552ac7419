import { expect, test } from 'vitest';
import { Slab } from '../base/index.ts';
import { DEVICE_DETAILS_TYPE } from './device-details.ts';

test('details have the bytes of the format', () => {
  const slab = Slab.ofSize(32);
  const details = { mappedBlocks: 5, transactionId: 0, creationTime: 0, snapshottedTime: 3 };
  DEVICE_DETAILS_TYPE.write(slab, 8, details);
  const wanted = [5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0];
  expect(Array.from(slab.bytes.subarray(8))).toEqual(wanted);
  expect([DEVICE_DETAILS_TYPE.size, DEVICE_DETAILS_TYPE.read(slab, 8)]).toEqual([24, details]);
});

test('a transaction id is any u64', () => {
  const slab = Slab.ofSize(24);
  for (const transactionId of [0, 2 ** 32, Number.MAX_SAFE_INTEGER, 2n ** 53n, 2n ** 64n - 1n]) {
    const details = { mappedBlocks: 2 ** 40, transactionId, creationTime: 2 ** 32 - 1, snapshottedTime: 7 };
    DEVICE_DETAILS_TYPE.write(slab, 0, details);
    expect(DEVICE_DETAILS_TYPE.read(slab, 0)).toEqual(details);
  }
});
