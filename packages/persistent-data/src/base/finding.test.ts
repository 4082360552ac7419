import { expect, test } from 'vitest';
import { isFatal } from './finding.ts';

test('`isFatal` separates damage from leaks and untidiness', () => {
  const severities = ['fatal', 'leak', 'warning'] as const;
  expect(severities.map((severity) => isFatal({ severity, code: 'x', message: 'x' }))).toEqual([true, false, false]);
});
