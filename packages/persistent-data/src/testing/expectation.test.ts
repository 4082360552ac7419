import { expect, test } from 'vitest';
import { ExpectationError, expectBytes, expectRejects, expectSame, expectThat, expectThrows } from './expectation.ts';

test('`expectThat()` and `expectSame()` say what they found', () => {
  expectThat(true, 'unsaid');
  expectSame(Number.NaN, Number.NaN, 'it');
  expect(() => expectThat(false, 'wrong')).toThrow(new ExpectationError('wrong'));
  expect(() => expectSame(1, 2, 'the sum')).toThrow('the sum is 1, 2 is wanted');
});

test('`expectBytes()` names the first difference', () => {
  expectBytes(new Uint8Array([1, 2]), new Uint8Array([1, 2]), 'block 3');
  expect(() => expectBytes(new Uint8Array([1, 2, 3]), new Uint8Array([1, 5, 6]), 'block 3')).toThrow(
    'byte 1 of block 3 is 2, 5 is wanted',
  );
  expect(() => expectBytes(new Uint8Array(1), new Uint8Array(2), 'it')).toThrow('the length of it, in bytes, is 1');
});

test('`expectThrows()` gives the error, or says what came instead', () => {
  const error = new RangeError('x');
  const raise = (thrown: unknown) => () => {
    throw thrown;
  };
  expect(expectThrows(raise(error), RangeError, 'it')).toBe(error);
  expect(() => expectThrows(() => 1, RangeError, 'it')).toThrow('it throws nothing, a RangeError is wanted');
  expect(() => expectThrows(raise(new TypeError('y')), RangeError, 'it')).toThrow('it throws TypeError: y');
});

test('`expectRejects()` does not take a thrown error for a rejected promise', async () => {
  const error = new RangeError('x');
  expect(await expectRejects(() => Promise.reject(error), RangeError, 'it')).toBe(error);
  await expect(expectRejects(async () => 1, RangeError, 'it')).rejects.toThrow('it throws nothing');
  const thrower = () => {
    throw error;
  };
  await expect(expectRejects(thrower, RangeError, 'it')).rejects.toThrow('it throws and does not reject');
});
