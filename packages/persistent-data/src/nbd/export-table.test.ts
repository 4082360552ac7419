import { expect, test } from 'vitest';
import { StateError } from '../base/index.ts';
import type { NbdExport } from './export.ts';
import { ExportTable } from './export-table.ts';

const served = (more: Partial<NbdExport> = {}): NbdExport => ({
  size: 4096,
  readOnly: true,
  read() {},
  flush() {},
  ...more,
});

test('exports are found by exact name, and the default one by no name', () => {
  const table = new ExportTable();
  const [a, b] = [served(), served()];
  table.add('a', a);
  table.add('b', b, { isDefault: true, hidden: true });
  expect(table.find('a')?.export).toBe(a);
  expect(table.find('')?.name).toBe('b');
  expect(table.find('A')).toBeUndefined();
  expect([...table.list()].map(({ name }) => name)).toEqual(['a']);
  expect(() => table.add('a', b)).toThrow(StateError);
  expect(table.remove('b')).toBe(b);
  expect(table.find('')).toBeUndefined();
  expect(table.remove('b')).toBeUndefined();
  expect(table.size).toBe(1);
});

test('an export under the empty name is the default', () => {
  const table = new ExportTable();
  table.add('', served());
  expect(table.find('')?.name).toBe('');
});

test.each([
  ['a name of 4097 bytes', 'ä'.repeat(2049), {}],
  ['a name with NUL', 'a\0b', {}],
  ['half a surrogate', '\ud800', {}],
  ['a negative size', 'x', { size: -1 }],
  ['a size beyond 2^53', 'x', { size: 2 ** 53 }],
  ['a min block size that is no power of two', 'x', { blockSize: { min: 3, preferred: 4096, max: 8192 } }],
  ['a min block size over 64 KiB', 'x', { blockSize: { min: 131072, preferred: 131072, max: 1 << 20 } }],
  ['a preferred block size below 512', 'x', { blockSize: { min: 1, preferred: 256, max: 8192 } }],
  ['a max block size below the preferred one', 'x', { blockSize: { min: 1, preferred: 4096, max: 512 } }],
  [
    'a size that is no multiple of the min block size',
    'x',
    { size: 4097, blockSize: { min: 512, preferred: 512, max: 8192 } },
  ],
  ['a writable one without write', 'x', { readOnly: false }],
  ['contexts without blockStatus', 'x', { contexts: ['base:allocation'] }],
])('refuses %s', (_what, name, more) => {
  expect(() => new ExportTable().add(name, served(more))).toThrow(RangeError);
});
