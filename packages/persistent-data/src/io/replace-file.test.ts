import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DeviceError } from '../base/index.ts';
import { removeFile } from './remove-file.ts';
import { realFile, replaceFile } from './replace-file.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pdata-replace-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('`replaceFile()` puts a file in the place of another, also behind a link', () => {
  const [from, to, link] = ['from', 'to', 'link'].map((name) => join(folder, name)) as [string, string, string];
  writeFileSync(from, 'new');
  writeFileSync(to, 'old');
  symlinkSync(to, link);
  expect(realFile(link)).toBe(realFile(to));
  replaceFile({ from, to: link });
  expect(readFileSync(to, 'utf8')).toBe('new');
  expect(() => replaceFile({ from, to })).toThrow(DeviceError);
  removeFile(to);
  removeFile(to);
  expect(() => realFile(to)).toThrow(DeviceError);
});
