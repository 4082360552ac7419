import { expect, test } from 'vitest';
import { monotonicMs, unixMs } from './clock.ts';

test('`monotonicMs` never goes back', () => {
  let last = monotonicMs();
  for (let i = 0; i < 1000; i++) {
    const now = monotonicMs();
    expect(now).toBeGreaterThanOrEqual(last);
    last = now;
  }
});

test('`unixMs` counts from 1970', () => {
  // 2020 and 2200: what a clock that is set at all shows.
  expect(unixMs()).toBeGreaterThan(1_577_836_800_000);
  expect(unixMs()).toBeLessThan(7_258_118_400_000);
});
