import { mkdtempSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { parseArguments } from '../arguments.ts';
import { openDataDevice } from '../data-device.ts';
import { Stream } from '../volume-copy.ts';
import { run as extract } from './thin-extract.ts';
import { run as migrate } from './thin-migrate.ts';
import { run as shrink } from './thin-shrink.ts';
import { run as stat } from './thin-stat.ts';
import { THIN_TOOLS } from './thin-tools-table.ts';
import { run as trim } from './thin-trim.ts';

const { printed } = vi.hoisted(() => ({ printed: { parts: [] as Uint8Array[] } }));
vi.mock('../standard-output.ts', () => ({
  writeStdout: (content: Uint8Array | string) => {
    printed.parts.push(typeof content === 'string' ? new TextEncoder().encode(content) : content.slice());
  },
}));

const RUN = { thin_extract: extract, thin_migrate: migrate, thin_shrink: shrink, thin_stat: stat, thin_trim: trim };
const folder = mkdtempSync(join(tmpdir(), 'pdata-volumes-'));
const errors: string[] = [];
vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
  errors.push(String(text));
  return true;
});

const BLOCK = 65536;

beforeEach(() => {
  printed.parts = [];
  errors.length = 0;
});
afterAll(() => rmSync(folder, { recursive: true }));

function image(name: string, lost: readonly number[] = []): string {
  const bytes = goldenImage('tools', name).bytes();
  for (const block of lost) bytes.fill(0, block * 4096, (block + 1) * 4096);
  const file = join(folder, `${name}-${lost.join('-')}`);
  writeFileSync(file, bytes);
  return file;
}

/** A data device whose blocks are filled with their own numbers, which are below 256. */
function dataDevice(name: string, nrBlocks: number): string {
  const file = join(folder, name);
  writeFileSync(file, Buffer.concat(Array.from({ length: nrBlocks }, (_, i) => Buffer.alloc(BLOCK, i))));
  return file;
}

function call(tool: keyof typeof RUN, ...argv: string[]): number {
  return RUN[tool](parseArguments(THIN_TOOLS.find(({ name }) => name === tool)!, argv)) as number;
}

/** The byte that each block of a volume is filled with. */
function blocksOf(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length / BLOCK }, (_, i) => {
    const block = bytes.subarray(i * BLOCK, (i + 1) * BLOCK);
    return block.every((byte) => byte === block[0]) ? block[0]! : -1;
  });
}

const DEVICE_1 = [10, 11, 12, 13, 0, 0, 0, 20];

test('thin_extract writes a sparse file, or all bytes to standard output', () => {
  const pool = ['--metadata-dev', image('t1'), '--data-dev', dataDevice('data', 100), '--dev-id', '1'];
  const output = join(folder, 'volume');
  expect(call('thin_extract', ...pool, '-o', output)).toBe(0);
  expect(blocksOf(readFileSync(output))).toEqual(DEVICE_1);
  expect(statSync(output).blocks * 512).toBeLessThan(6 * BLOCK);
  expect(call('thin_extract', ...pool)).toBe(0);
  expect(blocksOf(Buffer.concat(printed.parts))).toEqual(DEVICE_1);
  expect(call('thin_extract', ...pool, '-o', output, '--size', '256')).toBe(0);
  expect(blocksOf(readFileSync(output))).toEqual([10, 11]);
  expect(() => call('thin_extract', ...pool.slice(0, 4), '--dev-id', '9')).toThrow('Unable to find');
  expect(new Stream()).toBeInstanceOf(Stream);
});

test('thin_extract takes what is left of a damaged pool, and tells the rest', () => {
  const pool = ['--metadata-dev', image('gen', [2]), '--data-dev', join(folder, 'large'), '--dev-id', '1'];
  writeFileSync(join(folder, 'large'), '');
  truncateSync(join(folder, 'large'), 1300 * BLOCK);
  const output = join(folder, 'damaged');
  expect(call('thin_extract', ...pool, '-o', output)).toBe(64);
  expect(errors.join('')).toContain('virtual blocks 150.. cannot be resolved: metadata block 2 is damaged');
  const lost = ['--metadata-dev', image('t1', [0]), '--data-dev', dataDevice('data', 100), '--dev-id', '1'];
  expect(() => call('thin_extract', ...lost, '-o', output)).toThrow();
  expect(call('thin_extract', ...lost, '-o', output, '--repair', '--data-block-size', '128')).toBe(0);
  expect(blocksOf(readFileSync(output))).toEqual(DEVICE_1);
});

test('thin_migrate copies a volume, and says what it cannot do', () => {
  const pool = ['--metadata-dev', image('t1'), '--data-dev', dataDevice('data', 100), '--dev-id', '1'];
  const file = join(folder, 'migrated');
  expect(call('thin_migrate', ...pool, '--dest-file', file)).toBe(0);
  expect(blocksOf(readFileSync(file))).toEqual(DEVICE_1);
  const device = dataDevice('device', 8);
  expect(call('thin_migrate', ...pool, '--dest-dev', device)).toBe(0);
  expect(blocksOf(readFileSync(device))).toEqual([10, 11, 12, 13, 4, 5, 6, 20]);
  expect(call('thin_migrate', ...pool, '--dest-dev', device, '--zero-dest')).toBe(0);
  expect(blocksOf(readFileSync(device))).toEqual(DEVICE_1);
  expect(() => call('thin_migrate')).toThrow('You must specify a source');
  expect(() => call('thin_migrate', ...pool)).toThrow('You must specify a dest');
  expect(() => call('thin_migrate', '--source-dev', 'x', '--dest-file', file)).toThrow(
    'live migration is not supported',
  );
  expect(() => call('thin_migrate', ...pool, '--dest-dev', dataDevice('short', 2))).toThrow('lengths differ');
  expect(() => call('thin_migrate', ...pool, '--dest-file', join(folder, 'data'))).toThrow('same file');
  expect(openDataDevice(device, 'r')).toMatchObject({ isBlockDevice: false, sizeBytes: 8 * BLOCK });
});

test('thin_shrink moves data and rewrites XML or binary metadata', () => {
  const xml = join(folder, 'in.xml');
  writeFileSync(
    xml,
    '<superblock uuid="" time="3" transaction="5" flags="0" version="2" data_block_size="128" nr_data_blocks="100">\n' +
      '  <device dev_id="1" mapped_blocks="2" transaction="0" creation_time="0" snap_time="3">\n' +
      '    <range_mapping origin_begin="7" data_begin="20" length="2" time="1"/>\n  </device>\n</superblock>\n',
  );
  const data = dataDevice('shrunk', 100);
  const output = join(folder, 'out.xml');
  expect(call('thin_shrink', '-i', xml, '-o', output, '--data', data, '--nr-blocks', '20')).toBe(0);
  expect(readFileSync(output, 'utf8')).toContain('flags="0" version="2" data_block_size="128" nr_data_blocks="20">');
  expect(readFileSync(output, 'utf8')).toContain(
    '<range_mapping origin_begin="7" data_begin="0" length="2" time="1"/>',
  );
  expect(blocksOf(readFileSync(data)).slice(0, 4)).toEqual([20, 21, 2, 3]);
  const binary = join(folder, 'shrunk.bin');
  writeFileSync(binary, '');
  truncateSync(binary, 1 << 20);
  const argv = ['-i', image('t1'), '-o', binary, '--data', data, '--nr-blocks', '20', '--binary', '--no-copy'];
  expect(call('thin_shrink', ...argv)).toBe(0);
  expect(call('thin_stat', binary)).toBe(0);
  expect(Buffer.concat(printed.parts).toString()).toContain('6 blocks allocated');
  expect(() => call('thin_shrink', '-i', xml, '-o', output, '--data', data, '--nr-blocks', '1')).toThrow(
    'Insufficient free space',
  );
});

test('thin_stat prints counts and run lengths', () => {
  call('thin_stat', image('t1'));
  expect(Buffer.concat(printed.parts).toString()).toBe(
    'ref-count\ttimes\tpercentage\n1\t2\t33.3333\n2\t2\t33.3333\n3\t2\t33.3333\n6 blocks allocated\navg ref count = 2.00\n',
  );
  printed.parts = [];
  call('thin_stat', '--op', 'data_run_len', image('gen'));
  expect(Buffer.concat(printed.parts).toString()).toBe(
    'length\tcounts\tpercentage\n1\t4\t66.6667\n150\t2\t33.3333\n6 runs in 3 leaves\navg run length = 50.67\n',
  );
});

test('thin_trim punches holes where the pool has nothing, and refuses a damaged pool', () => {
  const data = dataDevice('trimmed', 100);
  expect(call('thin_trim', '--metadata-dev', image('t1'), '--data-dev', data)).toBe(0);
  const used = new Set([10, 11, 12, 13, 20, 30]);
  expect(blocksOf(readFileSync(data))).toEqual(Array.from({ length: 100 }, (_, i) => (used.has(i) ? i : 0)));
  expect(statSync(data).blocks * 512).toBeLessThanOrEqual(7 * BLOCK);
  expect(call('thin_trim', '--metadata-dev', image('t1', [3]), '--data-dev', data)).toBe(65);
  expect(errors.join('')).toContain('metadata contains errors (run thin_check for details).');
  expect(() => call('thin_trim', '--metadata-dev', image('t1'), '--data-dev', dataDevice('few', 9))).toThrow(
    'unexpected data device size, wanted 6553600 bytes',
  );
  expect(openSync(data, 'r')).toBeGreaterThan(0);
});
