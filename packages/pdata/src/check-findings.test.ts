import type { Finding } from 'persistent-data';
import { expect, test } from 'vitest';
import { CheckFindings } from './check-findings.ts';

const leak = (counted: number, block?: number): Finding =>
  ({
    severity: 'leak',
    code: 'space-map.leak',
    message: '',
    counted,
    expected: 0,
    recorded: 1,
    ...(block === undefined ? {} : { block }),
  }) as Finding;

test('leaks are counted, and kept as ranges', () => {
  const findings = new CheckFindings();
  for (const block of [5, 6, 7, 9, 100]) findings.add(leak(block));
  findings.add(leak(3, 3));
  expect([findings.verdict, findings.nrLeaks('data'), findings.nrLeaks('metadata')]).toEqual(['leaks', 5, 1]);
  expect(findings.singles).toHaveLength(1);
  expect(findings.asJson()).toMatchObject([
    {
      severity: 'leak',
      space: 'data',
      count: 5,
      ranges: [
        { begin: 5, end: 8 },
        { begin: 9, end: 10 },
        { begin: 100, end: 101 },
      ],
    },
    { space: 'metadata', count: 1, ranges: [{ begin: 3, end: 4 }], message: '1 metadata blocks have leaked.' },
  ]);
});

test('the verdict is the worst there is; warnings are nothing', () => {
  const findings = new CheckFindings();
  findings.add({ severity: 'warning', code: 'x', message: '' });
  expect(findings.verdict).toBe('clean');
  findings.add(leak(1));
  findings.add({ severity: 'fatal', code: 'x', message: '' });
  expect([findings.verdict, findings.nrFatal]).toEqual(['damaged', 1]);
});

test('a lost range of keys is a range, exact as text where a number is not', () => {
  const findings = new CheckFindings();
  const keys = { begin: 7n, end: 1n << 64n };
  findings.add({ severity: 'fatal', code: 'btree.node', message: 'm', block: 9, path: [8, 9], device: 1, keys });
  expect(findings.asJson()).toEqual([
    {
      severity: 'fatal',
      code: 'btree.node',
      message: 'm',
      block: 9,
      path: [8, 9],
      device: 1,
      ranges: [{ begin: 7, end: '18446744073709551616' }],
    },
  ]);
});

test('a wrong count has its block as a range, what is expected and what was found', () => {
  const findings = new CheckFindings();
  findings.add({
    severity: 'fatal',
    code: 'space-map.count',
    message: 'm',
    counted: 4,
    expected: 2,
    recorded: 1,
  } as Finding);
  expect(findings.asJson()[0]).toMatchObject({ space: 'data', ranges: [{ begin: 4, end: 5 }], expected: 2, found: 1 });
});
