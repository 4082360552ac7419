import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileDevice } from 'persistent-data/io';
import { THIN_DAMAGES } from 'persistent-data/testing';
import { checkThin, ThinImage } from 'persistent-data/thin';
import { afterAll, expect, test, vi } from 'vitest';
import { parseArguments } from '../arguments.ts';
import { run as damage } from './thin-generate-damage.ts';
import { run as metadata } from './thin-generate-metadata.ts';
import { DAMAGES, THIN_TOOLS } from './thin-tools-table.ts';

vi.mock('../standard-output.ts', () => ({ writeStdout: () => undefined }));

const folder = mkdtempSync(join(tmpdir(), 'pdata-generate-'));
afterAll(() => rmSync(folder, { recursive: true }));

function generate(...argv: string[]): string {
  const file = join(folder, argv.join(''));
  writeFileSync(file, '');
  truncateSync(file, 1 << 22);
  const spec = THIN_TOOLS.find(({ name }) => name === 'thin_generate_metadata')!;
  expect(metadata(parseArguments(spec, ['-o', file, ...argv]))).toBe(0);
  return file;
}

function open<T>(file: string, look: (device: FileDevice) => T): T {
  const device = FileDevice.open(file, { readOnly: true });
  try {
    return look(device);
  } finally {
    device.close();
  }
}

test('thin_generate_metadata makes a sound pool of the shape', () => {
  const file = generate('--nr-devices', '3', '--nr-mappings', '2000', '--nr-snapshots', '2', '--fragmented');
  expect(open(file, (device) => [...checkThin(device)])).toEqual([]);
  expect(open(file, (device) => new ThinImage(device).devices().map(({ mappedBlocks }) => mappedBlocks))).toEqual(
    Array.from({ length: 9 }, () => 2000),
  );
  expect(open(generate('--nr-mappings', '0'), (device) => [...checkThin(device)])).toEqual([]);
});

test('thin_generate_damage does damage that a check finds', () => {
  expect(DAMAGES).toEqual([...THIN_DAMAGES]);
  const spec = THIN_TOOLS.find(({ name }) => name === 'thin_generate_damage')!;
  for (const kind of ['leak', 'lostNode', 'badCount']) {
    const file = generate('--nr-devices', '3', '--seed', String(kind.length));
    expect(damage(parseArguments(spec, ['-o', file, '--kind', kind]))).toBe(0);
    expect(open(file, (device) => [...checkThin(device)].length)).toBeGreaterThan(0);
  }
});
