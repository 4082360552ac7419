import { expect, test } from 'vitest';
import { MemoryBudget } from './memory-budget.ts';

test('a share always has its floor, and never more than half', async () => {
  const budget = new MemoryBudget({ limitBytes: 1000, floorBytes: 10 });
  const [a, b, c] = [budget.share(), budget.share(), budget.share()];
  expect(a.admits(501)).toBe(false);
  a.add(500);
  expect(a.admits(1)).toBe(false);
  b.add(495);
  expect(c.admits(6)).toBe(true);
  c.add(6);
  expect(c.admits(4)).toBe(true);
  expect(c.admits(5)).toBe(false);
  let woken = 0;
  const wake = () => {
    woken += 1;
  };
  budget.wait(wake);
  budget.wait(() => {
    woken += 100;
  });
  budget.forget(wake);
  a.give(500);
  a.add(1);
  await Promise.resolve();
  expect(woken).toBe(100);
  expect(budget.heldBytes).toBe(502);
  expect(c.admits(5)).toBe(true);
  expect(() => a.give(2)).toThrow('no more memory');
});
