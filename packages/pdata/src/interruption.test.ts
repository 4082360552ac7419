import { expect, test } from 'vitest';
import { InterruptedError, Interruption } from './interruption.ts';

test('a signal makes `check()` throw, as long as it is watched', () => {
  const before = process.listenerCount('SIGINT');
  const interruption = new Interruption();
  interruption.check();
  process.emit('SIGINT');
  expect(() => interruption.check()).toThrow(InterruptedError);
  interruption.end();
  expect(process.listenerCount('SIGINT')).toBe(before);
});
