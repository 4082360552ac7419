import { expect, test } from 'vitest';
import { WaitList } from './wait-list.ts';

const place = () => ({ nrWaiting: 0 });

test('requests for one block go in order, others pass', async () => {
  const list = new WaitList();
  const volume = place();
  const log: string[] = [];
  let isOpen = false;
  const request = (name: string, begin: number, end: number, needsOpen: boolean) =>
    list.add({
      place: volume,
      begin,
      end,
      isProvision: needsOpen,
      attempt: () => {
        if (needsOpen && !isOpen) return false;
        log.push(name);
        return true;
      },
    });
  const first = request('write 0-2', 0, 2, true);
  const second = request('read 1', 1, 2, false);
  const third = request('read 5', 5, 6, false);
  expect(list.isBlocked(volume, 1, 9)).toBe(true);
  expect(list.isBlocked(volume, 2, 5)).toBe(false);
  expect(list.isBlocked(place(), 0, 9)).toBe(false);
  list.retry();
  await third;
  expect(log).toEqual(['read 5']);
  isOpen = true;
  list.retry();
  await Promise.all([first, second]);
  expect(log).toEqual(['read 5', 'write 0-2', 'read 1']);
  expect(volume.nrWaiting).toBe(0);
  expect(list.size).toBe(0);
});

test('one that fails fails alone', async () => {
  const list = new WaitList();
  const volume = place();
  const failing = list.add({
    place: volume,
    begin: 0,
    end: 1,
    isProvision: true,
    attempt: () => {
      throw new Error('broken');
    },
  });
  const behind = list.add({ place: volume, begin: 0, end: 1, isProvision: false, attempt: () => true });
  list.retry();
  await expect(failing).rejects.toThrow('broken');
  await behind;
});

test('some can be ended', async () => {
  const list = new WaitList();
  const volume = place();
  const first = list.add({ place: volume, begin: 0, end: 1, isProvision: true, attempt: () => false });
  const second = list.add({ place: volume, begin: 0, end: 1, isProvision: false, attempt: () => true });
  list.reject(new Error('too late'), (request) => request.isProvision);
  await expect(first).rejects.toThrow('too late');
  list.retry();
  await second;
});

test('an attempt may ask for a retry', async () => {
  const list = new WaitList();
  const volume = place();
  const first = list.add({
    place: volume,
    begin: 0,
    end: 1,
    isProvision: true,
    attempt: () => {
      list.retry();
      return true;
    },
  });
  list.retry();
  await first;
});
