/** Commands on block devices of the system: loop devices, which want root and a kernel that lets us. Skipped aloud elsewhere. */

import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileDevice } from 'persistent-data/io';
import { afterAll, describe, expect, test } from 'vitest';
import { isBuilt, makeFiles, pdata, scratchFolder } from './program.ts';

const BLOCKS = 1024;
const folder = scratchFolder('block-device');
const files = makeFiles(folder);
const backing = join(folder, 'backing');
writeFileSync(backing, '');
truncateSync(backing, BLOCKS * 4096);

const { status, stdout } = spawnSync('losetup', ['-f', '--show', backing], { encoding: 'utf8' });
const disk = status === 0 ? stdout.trim() : '';
if (disk === '') process.stderr.write('skipped: test/cli/block-device needs loop devices\n');
afterAll(() => {
  if (disk !== '') spawnSync('losetup', ['-d', disk]);
});

describe.skipIf(disk === '' || !isBuilt)('a block device', { timeout: 60_000 }, () => {
  test('has the size that the system tells, and cannot be resized', () => {
    const device = FileDevice.open(disk);
    expect(device).toMatchObject({ nrBlocks: BLOCKS, isBlockDevice: true, resize: undefined });
    expect(() => FileDevice.open(disk)).toThrow('it is in use');
    device.close();
  });

  test('takes a restored pool, which the commands read', async () => {
    expect(await pdata(['thin_restore', '-i', files.xml, '-o', disk])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(await pdata(['thin_check', disk])).toMatchObject({ status: 0 });
    expect((await pdata(['thin_dump', disk])).stdout).toContain('<device dev_id="1" mapped_blocks="4"');
    expect((await pdata(['thin_restore', '-i', files.xml, '-o', disk])).stderr).toBe('');
    expect((await pdata(['thin_repair', '-i', disk, '-o', files.output])).status).toBe(0);
    expect((await pdata(['thin_metadata_pack', '-i', disk, '-o', join(folder, 'pack')])).status).toBe(0);
  });

  test('is neither input and output, nor read or written while somebody has it', async () => {
    expect((await pdata(['thin_repair', '-i', disk, '-o', disk])).stderr).toContain('same file');
    const fd = openSync(disk, constants.O_RDWR | constants.O_EXCL);
    try {
      for (const argv of [
        ['thin_check', disk],
        ['thin_dump', disk],
        ['thin_check', '--auto-repair', disk],
        ['thin_restore', '-i', files.xml, '-o', disk],
        ['thin_repair', '-i', files.metadata, '-o', disk],
        ['thin_generate_damage', '-o', disk],
      ]) {
        const { status: code, stderr } = await pdata(argv);
        expect([code, stderr], argv.join(' ')).toEqual([64, expect.stringContaining('it is in use')]);
      }
      // A metadata snapshot may be read: there is none.
      expect((await pdata(['thin_dump', '-m', disk])).stderr).toContain('no current metadata snap');
    } finally {
      closeSync(fd);
    }
    expect((await pdata(['thin_check', disk])).status).toBe(0);
  });

  test('that is too small is not unpacked to', async () => {
    const pack = join(folder, 'large.pack');
    truncateSync(files.output, 2 * BLOCKS * 4096);
    expect((await pdata(['thin_restore', '-i', files.xml, '-o', files.output])).status).toBe(0);
    expect((await pdata(['thin_metadata_pack', '-i', files.output, '-o', pack])).status).toBe(0);
    const before = readFileSync(disk);
    const { status: code, stderr } = await pdata(['thin_metadata_unpack', '-i', pack, '-o', disk, '-f']);
    expect([code, stderr]).toEqual([64, expect.stringContaining('too small')]);
    expect(readFileSync(disk).equals(before)).toBe(true);
  });
});
