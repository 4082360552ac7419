import { expect, test } from 'vitest';
import { timeLeft } from './time-left.ts';

// The bar said "0s left" when it was shown first, and whatever had been asked of it, until it had seen enough of its own updates.
test.each([
  [1000, 0, 10, '?'],
  [1000, 10, 100, '9s'],
  [500, 99, 100, '1s'],
  [500, 100, 100, '0s'],
  [500, 101, 100, '0s'],
  [1000, 1, 126, '2m05s'],
  [1000, 1, 4801, '1h20m'],
])('%i ms for %i of %i leave %s', (elapsedMs, done, total, text) => {
  expect(timeLeft(elapsedMs, done, total)).toBe(text);
});
