import { expect, test } from 'vitest';
import { Lookout } from './lookout.ts';

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

test('looks for more after requests in quick succession, and ends by itself', async () => {
  const lookout = new Lookout();
  lookout.note();
  expect(lookout.isLooking).toBe(false);
  // A machine that is busy may take long between two calls.
  for (let i = 0; i < 1000 && !lookout.isLooking; i++) lookout.note();
  expect(lookout.isLooking).toBe(true);
  await expect.poll(() => lookout.isLooking, { interval: 1 }).toBe(false);
});

test('leaves one who asks now and then alone', async () => {
  const lookout = new Lookout();
  for (let i = 0; i < 5; i++) {
    lookout.note();
    expect(lookout.isLooking).toBe(false);
    await pause(2);
  }
});
