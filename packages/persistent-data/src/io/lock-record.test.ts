import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findLock, parseLockRecord } from './lock-record.ts';

const folder = mkdtempSync(join(tmpdir(), 'lock-record-'));
afterAll(() => rmSync(folder, { recursive: true }));

const record = {
  pid: 17,
  host: 'somewhere',
  since: '2024-05-06T07:08:09.000Z',
  token: 'a-b-c',
  startTime: '12345',
  bootId: 'boot',
  pidNamespace: 'pid:[1]',
};

test('`parseLockRecord()` reads what was written, and what an unknown platform leaves out', () => {
  expect(parseLockRecord(JSON.stringify(record))).toEqual(record);
  const { startTime, bootId, pidNamespace, ...rest } = record;
  expect(parseLockRecord(JSON.stringify(rest))).toMatchObject({ ...rest, startTime: undefined, bootId: undefined });
});

test('`parseLockRecord()` believes nothing else', () => {
  const others = ['', '{', 'null', '7', '[]', '{}'];
  for (const pid of [0, -1, 1.5, '17', undefined]) others.push(JSON.stringify({ ...record, pid }));
  for (const field of ['host', 'since', 'token']) others.push(JSON.stringify({ ...record, [field]: 7 }));
  for (const text of others) expect(parseLockRecord(text)).toBeUndefined();
});

test('`findLock()` tells no lock from one that cannot be read', () => {
  expect(findLock(join(folder, 'none'))).toBeUndefined();
  writeFileSync(join(folder, 'empty'), '');
  expect(findLock(join(folder, 'empty'))).toEqual({ record: undefined });
  mkdirSync(join(folder, 'directory'));
  expect(() => findLock(join(folder, 'directory'))).toThrow('EISDIR');
});
