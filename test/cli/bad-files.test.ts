/** What the matrix cannot make of the command table: files in use, that may not be read, cut, or of another version. */

import { chmodSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Slab } from 'persistent-data/base';
import { THIN_SUPERBLOCK, THIN_SUPERBLOCK_VALIDATOR } from 'persistent-data/format';
import { FileLock } from 'persistent-data/io';
import { describe, expect, test } from 'vitest';
import { isBuilt, makeFiles, pdata, scratchFolder } from './program.ts';

const folder = scratchFolder('bad-files');
const { metadata, xml, output, data, made } = makeFiles(folder);
const path = (name: string): string => join(folder, name);

/** Commands that read metadata at `file`. */
const readersOf = (file: string): readonly (readonly string[])[] => [
  ['thin_check', file],
  ['thin_dump', file],
  ['thin_ls', file],
  ['thin_rmap', '--region', '0..10', file],
  ['thin_delta', '--thin1', '0', '--thin2', '1', file],
  ['thin_roots', file],
  ['thin_stat', file],
  ['thin_repair', '-i', file, '-o', output],
  ['thin_repair', '-i', file, '--preview'],
  ['thin_metadata_pack', '-i', file, '-o', made],
  ['thin_shrink', '-i', file, '-o', output, '--data', data, '--nr-blocks', '900', '--no-copy', '--binary'],
  ['thin_extract', '--metadata-dev', file, '--data-dev', data, '--dev-id', '0', '-o', made],
  ['thin_migrate', '--metadata-dev', file, '--data-dev', data, '--dev-id', '0', '--dest-file', made],
  ['thin_trim', '--metadata-dev', file, '--data-dev', data],
];

/** Commands that write to `file`. */
const writersOf = (file: string): readonly (readonly string[])[] => [
  ['thin_check', '--auto-repair', file],
  ['thin_check', '--clear-needs-check-flag', file],
  ['thin_restore', '-i', xml, '-o', file],
  ['thin_repair', '-i', metadata, '-o', file],
  ['thin_shrink', '-i', metadata, '-o', file, '--data', data, '--nr-blocks', '900', '--no-copy', '--binary'],
  ['thin_generate_metadata', '-o', file],
  ['thin_generate_damage', '-o', file],
];

const named = (calls: readonly (readonly string[])[]) =>
  calls.map((argv) => [argv.slice(0, 2).join(' '), argv] as const);

describe.skipIf(!isBuilt)('a file that another process is writing', { timeout: 60_000 }, () => {
  const used = path('used');
  copyFileSync(metadata, used);

  test.each([...named(readersOf(used)), ...named(writersOf(used))])('%s', async (_, argv) => {
    const before = readFileSync(used);
    const lock = FileLock.acquire(used);
    try {
      const { status, stdout, stderr } = await pdata(argv);
      expect([status, stdout]).toEqual([64, '']);
      expect(stderr).toContain(`process ${process.pid} on `);
    } finally {
      lock.release();
    }
    expect(readFileSync(used).equals(before)).toBe(true);
  });
});

describe.skipIf(!isBuilt || process.getuid?.() === 0)('a file that may not be read', { timeout: 60_000 }, () => {
  const secret = path('secret');
  copyFileSync(metadata, secret);
  chmodSync(secret, 0);

  test.each(named(readersOf(secret)))('%s', async (_, argv) => {
    const { status, stdout, stderr } = await pdata(argv);
    expect([status, stdout]).toEqual([64, '']);
    expect(stderr).toMatch(/permission denied/i);
  });
});
if (process.getuid?.() === 0) process.stderr.write('skipped: root may read every file\n');

/** Version 1.x of the tools does not look at the version of thin metadata either. */
describe.skipIf(!isBuilt)('thin metadata of another version', { timeout: 60_000 }, () => {
  const other = path('version-9');
  const slab = new Slab(readFileSync(metadata).buffer.slice(0) as ArrayBuffer);
  slab.words[THIN_SUPERBLOCK.word('version')] = 9;
  THIN_SUPERBLOCK_VALIDATOR.seal(slab, 0, 0);
  writeFileSync(other, slab.bytes);

  test('is read as that of version 2', async () => {
    expect((await pdata(['thin_check', other])).status).toBe(0);
    expect((await pdata(['thin_ls', other])).stdout).toBe((await pdata(['thin_ls', metadata])).stdout);
  });
});

describe.skipIf(!isBuilt)('a pack file', { timeout: 60_000 }, () => {
  const pack = path('pack');
  const unpack = (bytes: Uint8Array) => {
    writeFileSync(path('bad.pack'), bytes);
    return pdata(['thin_metadata_unpack', '-i', path('bad.pack'), '-o', path('unpacked'), '-f']);
  };

  test('that is cut, changed, of another version, or none', async () => {
    expect((await pdata(['thin_metadata_pack', '-i', metadata, '-o', pack])).status).toBe(0);
    const whole = readFileSync(pack);
    const changed = (at: number, byte: number): Uint8Array => {
      const bytes = new Uint8Array(whole);
      bytes[at] = byte;
      return bytes;
    };
    const cases: [Uint8Array, string][] = [
      [whole.subarray(0, 0), 'failed to fill whole buffer'],
      [whole.subarray(0, 20), 'failed to fill whole buffer'],
      [whole.subarray(0, 36), 'failed to fill whole buffer'],
      [whole.subarray(0, whole.length - 1), 'failed to fill whole buffer'],
      [changed(0, 0), 'Not a pack file'],
      [changed(8, 9), 'unsupported pack file version (9).'],
      [changed(17, 0), 'block size is not 4096'],
      [changed(45, 0xff), 'Cannot unpack: a chunk cannot be inflated'],
      [readFileSync(metadata), 'Not a pack file'],
      [readFileSync(xml), 'Not a pack file'],
    ];
    for (const [bytes, text] of cases) {
      const { status, stdout, stderr } = await unpack(bytes);
      expect([status, stdout, stderr]).toEqual([64, '', expect.stringContaining(text)]);
      if (existsSync(path('unpacked'))) expect((await pdata(['thin_check', '-q', path('unpacked')])).status).toBe(64);
    }
    expect((await unpack(whole)).status).toBe(0);
    expect(readFileSync(path('unpacked')).subarray(0, 4096).equals(readFileSync(metadata).subarray(0, 4096))).toBe(
      true,
    );
  });
});
