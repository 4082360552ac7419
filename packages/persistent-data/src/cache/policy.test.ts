import { expect, test } from 'vitest';
import { hintSizeProblem, KNOWN_POLICIES, NO_POLICY, policyNameProblem, SMQ_POLICY, sharesHints } from './policy.ts';

test('names that a superblock can have', () => {
  for (const name of [...KNOWN_POLICIES, '', 'a'.repeat(15)]) expect(policyNameProblem(name)).toBeUndefined();
  expect(policyNameProblem('a'.repeat(16))).toBe('it has 16 characters, at most 15 are wanted');
  for (const name of ['a b', 'smq\0', 'é', 'x\n']) expect(policyNameProblem(name)).toMatch(/printable ASCII/);
});

test('hints have 4 bytes or none', () => {
  expect([0, 4].map(hintSizeProblem)).toEqual([undefined, undefined]);
  expect(hintSizeProblem(8)).toMatch(/^found 8 bytes, 4 are wanted/);
});

test('hints are of use to the same policy of the same major version', () => {
  expect(sharesHints(SMQ_POLICY, { ...SMQ_POLICY, version: [2, 7, 1] })).toBe(true);
  expect(sharesHints(SMQ_POLICY, { ...SMQ_POLICY, version: [3, 0, 0] })).toBe(false);
  expect(sharesHints(SMQ_POLICY, { ...SMQ_POLICY, name: 'mq' })).toBe(false);
  expect(sharesHints(NO_POLICY, SMQ_POLICY)).toBe(false);
});
