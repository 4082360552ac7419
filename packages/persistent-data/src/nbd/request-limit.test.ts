import { expect, test } from 'vitest';
import { RequestLimit } from './request-limit.ts';

test('requests enter in order, as far as there is room', async () => {
  const limit = new RequestLimit(2, 100);
  const entered: number[] = [];
  const enter = async (name: number, bytes: number) => {
    await limit.enter(bytes);
    entered.push(name);
  };
  const all = [enter(1, 60), enter(2, 60), enter(3, 10), enter(4, 500)];
  await Promise.resolve();
  expect(entered).toEqual([1]);
  limit.leave(60);
  await new Promise(setImmediate);
  expect(entered).toEqual([1, 2, 3]);
  limit.leave(10);
  await new Promise(setImmediate);
  expect(entered).toEqual([1, 2, 3]);
  limit.leave(60);
  await Promise.all(all);
  expect(entered).toEqual([1, 2, 3, 4]);
});
