import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { writeAll, writeOutputFile } from './output-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'pdata-output-'));
const path = join(folder, 'out');
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => rmSync(path, { recursive: true, force: true }));

const write = (text: string, overwrite = false): Promise<string> =>
  writeOutputFile(path, { overwrite }, async (fd) => {
    writeAll(fd, new TextEncoder().encode(text), null);
    return text;
  });

test('a file has its name when it is whole', async () => {
  const seen: boolean[] = [];
  const answer = await writeOutputFile(path, { overwrite: false }, async (fd) => {
    writeAll(fd, new Uint8Array([1, 2, 3]), 2);
    seen.push(existsSync(path));
    return 7;
  });
  expect([answer, seen]).toEqual([7, [false]]);
  expect([...readFileSync(path)]).toEqual([0, 0, 1, 2, 3]);
  expect(existsSync(`${path}.partial`)).toBe(false);
});

test('work that fails leaves nothing, and what had the name keeps it', async () => {
  writeFileSync(path, 'old');
  const failing = writeOutputFile(path, { overwrite: true }, async (fd) => {
    writeAll(fd, new Uint8Array(100), null);
    throw new Error('gone');
  });
  await expect(failing).rejects.toThrow('gone');
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(existsSync(`${path}.partial`)).toBe(false);
  await write('new', true);
  expect(readFileSync(path, 'utf8')).toBe('new');
});

test('what is not to be overwritten is told before anything is done', async () => {
  await write('one');
  await expect(write('two')).rejects.toThrow(`Cannot write '${path}': there is a file of this name already`);
  expect(readFileSync(path, 'utf8')).toBe('one');
  rmSync(path);
  mkdirSync(path);
  await expect(write('two', true)).rejects.toThrow('it is no regular file');
  const nowhere = join(folder, 'none/out');
  await expect(writeOutputFile(nowhere, { overwrite: true }, async () => 0)).rejects.toThrow(
    'its folder does not exist',
  );
});

// A part that SIGKILL has left is of no use to anybody.
test('what an earlier process has left in part is overwritten', async () => {
  writeFileSync(`${path}.partial`, 'a long text of an earlier process');
  await write('short');
  expect(readFileSync(path, 'utf8')).toBe('short');
});
