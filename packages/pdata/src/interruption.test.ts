import { expect, test } from 'vitest';
import { InterruptedError } from './interrupted-error.ts';
import { Interruption, interruptible } from './interruption.ts';

test('a signal makes `check()` throw, as long as it is watched', () => {
  const before = process.listenerCount('SIGINT');
  const interruption = new Interruption();
  interruption.check();
  process.emit('SIGINT');
  expect(() => interruption.check()).toThrow(InterruptedError);
  interruption.end();
  expect(process.listenerCount('SIGINT')).toBe(before);
});

test('`interruptible()` answers what the work does, and lets its errors through', () => {
  expect(interruptible(() => 7)).toBe(7);
  const error = new RangeError('of the work');
  expect(() =>
    interruptible(() => {
      throw error;
    }),
  ).toThrow(error);
});
