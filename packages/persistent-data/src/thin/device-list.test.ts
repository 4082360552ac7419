import { expect, test } from 'vitest';
import { DeviceList, ThinDeviceState } from './device-list.ts';

const details = { mappedBlocks: 1, transactionId: 2n ** 60n, creationTime: 3, snapshottedTime: 4 };
const device = (id: number) => new ThinDeviceState(id, details, false);

test('a device comes with its details; a new one has them still to be written', () => {
  expect(device(7)).toMatchObject({ id: 7, ...details, openers: 0, detailsChanged: false, isGone: false });
  expect(new ThinDeviceState(7, details, true).detailsChanged).toBe(true);
});

test('the newest device comes first, and may go while the list is walked', () => {
  const list = new DeviceList();
  const devices = [1, 2, 3].map(device);
  for (const one of devices) list.addFirst(one);
  const seen: number[] = [];
  for (const one of list) {
    seen.push(one.id);
    list.remove(one);
  }
  expect([seen, [...list]]).toEqual([[3, 2, 1], []]);
});

test('a device is found by its id', () => {
  const list = new DeviceList();
  const [a, b] = [device(5), device(6)];
  list.addFirst(a);
  list.addFirst(b);
  expect([list.find(5), list.find(6), list.find(7)]).toEqual([a, b, undefined]);
  list.remove(a);
  expect(list.find(5)).toBeUndefined();
  list.clear();
  expect(list.find(6)).toBeUndefined();
});
