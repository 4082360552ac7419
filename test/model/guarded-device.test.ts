import { expect, test } from 'vitest';
import { GuardedDevice } from './guarded-device.ts';

const block = new Uint8Array(4096);

test('a guarded block is not overwritten; the superblock is', () => {
  const device = new GuardedDevice(8);
  device.guards.add([1, 0, 1]);
  device.write(0, [block, block]);
  device.write(3, [block]);
  expect(() => device.write(1, [block, block])).toThrow('block 2 is overwritten');
  device.guards.clear();
  device.write(1, [block, block]);
});

test('asynchronous flushes end in order, when they are told to', async () => {
  const device = new GuardedDevice(8);
  const order: number[] = [];
  for (const i of [1, 2, 3]) void device.flushAsync().then(() => order.push(i));
  await device.finishFlush();
  expect(order).toEqual([1]);
  await device.finishFlush();
  device.abandon();
  await device.finishFlush();
  expect(order).toEqual([1, 2]);
});
