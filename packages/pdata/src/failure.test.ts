import { expect, test } from 'vitest';
import { failureText } from './failure.ts';

test('an error is told with its root cause', () => {
  const root = new Error('EIO');
  expect(failureText(new Error('Cannot read block 5', { cause: new Error('pread', { cause: root }) }))).toBe(
    'Cannot read block 5: EIO',
  );
});

test('a cause that the text names already is not told twice', () => {
  expect(failureText(new Error('Cannot read: EIO', { cause: new Error('EIO') }))).toBe('Cannot read: EIO');
});

test('an error without a cause, and what is no error, are told as they are', () => {
  expect(failureText(new Error('alone'))).toBe('alone');
  expect(failureText('text')).toBe('text');
});
