import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { toolRecords } from '../../../../test/golden/tools-records.ts';
import { parseArguments } from '../arguments.ts';
import { FileSource } from '../pack-files.ts';
import { printJson } from '../print-json.ts';
import { repairOptions } from '../repair-options.ts';
import { printPreview } from '../repair-preview-text.ts';
import { COMMANDS } from './table.ts';
import { run as delta } from './thin-delta.ts';
import { run as dump } from './thin-dump.ts';
import { run as ls } from './thin-ls.ts';
import { run as pack } from './thin-metadata-pack.ts';
import { run as size } from './thin-metadata-size.ts';
import { run as unpack } from './thin-metadata-unpack.ts';
import { run as repair } from './thin-repair.ts';
import { run as rmap } from './thin-rmap.ts';
import { run as roots } from './thin-roots.ts';
import { THIN_TOOLS } from './thin-tools-table.ts';

const { printed } = vi.hoisted(() => ({ printed: { text: '' } }));
vi.mock('../standard-output.ts', () => ({
  writeStdout: (content: Uint8Array | string) => {
    printed.text += typeof content === 'string' ? content : new TextDecoder().decode(content);
  },
}));

const RUN = {
  thin_dump: dump,
  thin_ls: ls,
  thin_rmap: rmap,
  thin_delta: delta,
  thin_metadata_size: size,
  thin_metadata_pack: pack,
  thin_metadata_unpack: unpack,
  thin_repair: repair,
  thin_roots: roots,
};
const folder = mkdtempSync(join(tmpdir(), 'pdata-tools-'));
vi.spyOn(process.stderr, 'write').mockImplementation(() => true);

beforeEach(() => {
  printed.text = '';
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A golden image as a file, with some blocks zeroed. */
function image(path: string, lost: readonly number[] = []): string {
  const at = path.lastIndexOf('/');
  const bytes = goldenImage(path.slice(0, at), path.slice(at + 1)).bytes();
  for (const block of lost) bytes.fill(0, block * 4096, (block + 1) * 4096);
  const file = join(folder, `${path.replaceAll('/', '-')}-${lost.join('-')}`);
  writeFileSync(file, bytes);
  return file;
}

/** Runs a command and answers what it printed. */
function call(tool: keyof typeof RUN, ...argv: string[]): string {
  printed.text = '';
  const spec = [...THIN_TOOLS, ...COMMANDS].find(({ name }) => name === tool)!;
  expect(RUN[tool](parseArguments(spec, argv))).toBe(0);
  return printed.text;
}

describe.each(['thin_ls', 'thin_rmap', 'thin_delta'] as const)('%s', (tool) => {
  test.each(toolRecords(tool))('as version 1.1.0: %s', (_, record) => {
    const file = image(record.image);
    const message = record.stderr.replace('Scanning data mappings', '');
    if (message !== '') expect(() => call(tool, ...record.options, file)).toThrow(message);
    else expect(call(tool, ...record.options, file)).toBe(record.stdout);
  });
});

test('thin_ls tells what sets of devices have to themselves, and who shares', () => {
  const file = image('tools/t1');
  expect(call('thin_ls', '--exclusive-of', '1', '--exclusive-of', '1,2', '--sharing-matrix', file)).toBe(
    'exclusive to 1: 1 blocks, 64KiB\nexclusive to 1,2: 3 blocks, 192KiB\n' +
      'DEV 1 2 3 \n  1 5 4 2 \n  2 4 4 2 \n  3 2 2 3 \n',
  );
  expect(JSON.parse(call('thin_ls', '--json', '--sharing-matrix', file))).toMatchObject({
    version: 1,
    devices: [{ id: 1, mappedBlocks: 5, exclusiveBlocks: 1, sharedBlocks: 4, highestBlock: 7 }, { id: 2 }, { id: 3 }],
    sharedBlocks: {
      devices: [1, 2, 3],
      matrix: [
        [5, 4, 2],
        [4, 4, 2],
        [2, 2, 3],
      ],
    },
  });
  expect(() => call('thin_ls', '-o', 'FOO', file)).toThrow(
    "invalid value 'FOO' for '--format <FIELDS>': Unknown field",
  );
  expect(() => call('thin_ls', '--exclusive-of', '9', file)).toThrow('Unable to find thin device 9');
  expect(() => call('thin_ls', '--exclusive-of', 'x', file)).toThrow('invalid value');
});

test('thin_rmap and thin_delta answer in JSON, and refuse what 1.1.0 refuses', () => {
  const file = image('tools/t1');
  expect(JSON.parse(call('thin_rmap', '--json', '--region', '20..31', file))).toEqual({
    version: 1,
    runs: [
      { dataBegin: 20, length: 1, device: 1, virtualBegin: 7 },
      { dataBegin: 30, length: 1, device: 3, virtualBegin: 5 },
    ],
  });
  expect(() => call('thin_rmap', '--region', '15..10', file)).toThrow(
    "invalid value '15..10' for '--region <BLOCK_RANGE>': end <= begin",
  );
  expect(() => call('thin_rmap', '--region', '0', file)).toThrow('badly formed region');
  expect(() => call('thin_delta', '--snap1', '1', file)).toThrow('--thin2 or --root2 not specified');
  expect(JSON.parse(call('thin_delta', '--json', '--snap1', '1', '--snap2', '3', file)).runs).toEqual([
    { kind: 'same', begin: 0, length: 2, leftData: 10, rightData: 10 },
    { kind: 'left_only', begin: 2, length: 2, leftData: 12 },
    { kind: 'right_only', begin: 5, length: 1, rightData: 30 },
    { kind: 'left_only', begin: 7, length: 1, leftData: 20 },
  ]);
});

test.each([
  ['', '9056 sectors'],
  ['-u m', '4.42 mebibytes'],
  ['-u k', '4528 kibibytes'],
  ['-u g', '0.0043182373046875 gibibytes'],
  ['-u t', '0.000004217028617858887 terabytes'],
  ['-u K -n=short', '4636.67K'],
  ['-u M -n=long', '4.64megabytes'],
  ['-n', '9056'],
])('thin_metadata_size %s says %s', (options, text) => {
  const argv = ['-b', '64k', '-s', '1g', '-m', '1000', ...options.split(' ').filter((word) => word !== '')];
  expect(call('thin_metadata_size', ...argv)).toBe(`${text}\n`);
});

test('thin_metadata_size refuses units that are none', () => {
  const base = ['-s', '1g', '-m', '1'];
  expect(() => call('thin_metadata_size', '-b', '64x', ...base)).toThrow('Invalid unit specifier');
  expect(() => call('thin_metadata_size', '-b', '64k', '-u', 'x', ...base)).toThrow('Invalid unit specifier');
});

test('a pool goes through pack and unpack', () => {
  const file = image('tools/t1');
  const packed = join(folder, 'packed');
  const output = join(folder, 'unpacked');
  call('thin_metadata_pack', '-i', file, '-o', packed);
  call('thin_metadata_unpack', '-i', packed, '-o', output);
  expect(Buffer.compare(readFileSync(output), readFileSync(file))).toBe(0);
  call('thin_metadata_unpack', '-f', '-i', packed, '-o', output);
  expect(statSync(packed).size).toBeLessThan(700);
  expect(() => call('thin_metadata_pack', '-i', file, '-o', file)).toThrow('same file');
  expect(() => call('thin_metadata_unpack', '-i', file, '-o', join(folder, 'none'))).toThrow('Not a pack file');
  expect(new FileSource(-1)).toBeInstanceOf(FileSource);
});

test('thin_repair writes the repaired pool, shows what it would do, and takes another candidate', () => {
  const file = image('thin/multi-64k-clean', [126]);
  const output = join(folder, 'repaired');
  writeFileSync(output, '');
  truncateSync(output, 1 << 22);
  call('thin_repair', '-i', file, '-o', output);
  expect(call('thin_ls', '-o', 'DEV,MAPPED_BLOCKS', '--no-headers', output)).toContain('      12  93');
  const preview = call('thin_repair', '-i', file, '--preview');
  expect(preview).toContain('mappings at block 119, details at block 121  <- would be taken');
  expect(preview).toContain('  device 12: comes back, 93 mappings');
  expect(JSON.parse(call('thin_repair', '-i', file, '--preview', '--json', '--choose', '88'))).toMatchObject({
    version: 1,
    candidates: [{ mappingRoot: 88, isChosen: true }],
  });
  call('thin_repair', '-i', file, '-o', output, '--choose', '88,83');
  expect(call('thin_ls', '-o', 'DEV', '--no-headers', output)).not.toContain('12');
  expect(() => call('thin_repair', '-i', file, '-o', output, '--choose', 'x')).toThrow('one or two block numbers');
  expect(() => call('thin_repair', '-i', file)).toThrow('--output <FILE>');
  expect(() => call('thin_repair', '-i', file, '-o', file)).toThrow('same file');
  expect([typeof repairOptions, typeof printPreview, typeof printJson]).toEqual(['function', 'function', 'function']);
});

test('thin_roots lists generations, and dumps, lists and compares one', () => {
  const file = image('thin/multi-64k-clean');
  const lines = call('thin_roots', file).split('\n');
  expect(lines[0]).toBe('MAPPINGS  DETAILS  DEVICES  MAPPED  TIME  STATE');
  expect(lines).toContain('126       124      7        490     2     current');
  expect(lines).toContain('88        83,91    7        525     2     whole');
  expect(call('thin_roots', '--choose', '14', '--dump', file)).toContain('<device dev_id="0" mapped_blocks="0"');
  expect(call('thin_roots', '--choose', '88', '--list', file)).toContain('device 0: 100 mappings');
  expect(call('thin_roots', '--choose', '88', '--diff', '0', file)).toContain('<left_only>');
  expect(JSON.parse(call('thin_roots', '--json', file))).toMatchObject({ version: 1, superblock: 'readable' });
  for (const root of ['88', '126']) {
    expect(call('thin_roots', '--choose', root, '--check', file)).toBe('all devices and mappings can be read\n');
  }
  expect(JSON.parse(call('thin_roots', '--choose', '88', '--check', '--json', file))).toEqual({
    version: 1,
    verdict: 'clean',
    findings: [],
  });
  expect(() => call('thin_roots', '--dump', file)).toThrow('--choose');
});

test('thin_dump repairs on the way, and writes lines for other programs', () => {
  const file = image('tools/gen', [0, 6]);
  const xml = call('thin_dump', '--repair', '--data-block-size', '128', file);
  expect(xml).toContain(
    '<superblock uuid="" time="2" transaction="1" version="2" data_block_size="128" nr_data_blocks="1300">',
  );
  expect(xml).toContain('<device dev_id="1" mapped_blocks="300" transaction="0" creation_time="2" snap_time="2">');
  expect(() => call('thin_dump', '--repair', file)).toThrow('data block size needs to be provided');
  expect(call('thin_dump', '-f', 'csv', image('tools/gen'))).toContain('device,2,,,,,1\n');
  expect(call('thin_dump', '-f', 'ndjson', image('tools/gen'))).toContain('{"type":"end"}\n');
});
