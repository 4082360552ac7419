import { afterEach, expect, test, vi } from 'vitest';
import { AssertionError, assert, verify, verifyEnabled } from './assert.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

test('`assert` lets a true condition pass and throws the text of a false one', () => {
  assert(true, 'never seen');
  expect(() => assert(false, 'the node has room')).toThrow(new AssertionError('the node has room'));
});

test('`verify` runs its check in tests, and throws when it says false', () => {
  expect(verifyEnabled).toBe(true);
  let nrRuns = 0;
  verify(() => ++nrRuns === 1, 'never seen');
  expect(nrRuns).toBe(1);
  expect(() => verify(() => false, 'the tree is in order')).toThrow(new AssertionError('the tree is in order'));
});

test.each(['', '0'])('`verify` costs nothing with PDATA_VERIFY=%j', async (value) => {
  vi.stubEnv('PDATA_VERIFY', value);
  const fresh = await import('./assert.ts');
  expect(fresh.verifyEnabled).toBe(false);
  fresh.verify(() => {
    throw new Error('the check was run');
  }, 'never seen');
});
