import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkInputFile, checkOutputFile, openMetadataInput, refuseSameFile } from './files.ts';

const folder = mkdtempSync(join(tmpdir(), 'pdata-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string, bytes = content.length): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  truncateSync(path, bytes);
  return path;
}

test('an input that is missing, or no file, is refused by name', () => {
  expect(() => checkInputFile(join(folder, 'none'))).toThrow(`Couldn't find input file '${join(folder, 'none')}'`);
  expect(() => checkInputFile(folder)).toThrow(`Not a block device or regular file '${folder}'.`);
});

test('metadata that is too small, or XML, is refused', () => {
  expect(() => openMetadataInput(file('small', 'abc'), false)).toThrow('Metadata device/file too small.');
  expect(() => openMetadataInput(file('xml', '<superblock uuid="">', 8192), false)).toThrow('This looks like XML.');
  openMetadataInput(file('zeros', '', 8192), false).close();
});

test('metadata whose checksum looks like a tag is metadata', () => {
  // A sound pool was refused by every command: "This looks like XML".
  // Its superblock's checksum began with "<A"; one pool in 1300 has such a one after each commit.
  // More has to be text than four bytes of checksum.
  openMetadataInput(file('tag', '<A\x041\0\0\0\0', 8192), false).close();
  openMetadataInput(file('space', ' <ab\x01\0\0\0', 8192), false).close();
});

test('an output has to be there, and large enough', () => {
  expect(() => checkOutputFile(join(folder, 'none'))).toThrow(`Couldn't find output file '${join(folder, 'none')}'`);
  expect(() => checkOutputFile(file('short', '', 40959))).toThrow('Output file too small.');
  checkOutputFile(file('long', '', 40960));
});

test('the same file under two names is told', () => {
  const path = file('one', '', 40960);
  symlinkSync(path, join(folder, 'link'));
  expect(() => refuseSameFile(path, join(folder, 'link'))).toThrow('same file');
  expect(() => refuseSameFile(path, file('two', '', 40960))).not.toThrow();
});
