import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dumpCacheXml } from 'persistent-data/cache';
import { MemoryDevice } from 'persistent-data/io';
import { CACHE_DAMAGES } from 'persistent-data/testing';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { parseArguments } from '../arguments.ts';
import { run as check } from './cache-check.ts';
import { run as detach } from './cache-detach.ts';
import { run as dump } from './cache-dump.ts';
import { run as generateDamage } from './cache-generate-damage.ts';
import { run as generate } from './cache-generate-metadata.ts';
import { run as size } from './cache-metadata-size.ts';
import { run as repair } from './cache-repair.ts';
import { run as restore } from './cache-restore.ts';
import { CACHE_DAMAGE_KINDS, CACHE_TOOLS } from './cache-tools-table.ts';
import { run as writeback } from './cache-writeback.ts';

const { said } = vi.hoisted(() => ({ said: { out: '', err: '' } }));
vi.mock('../standard-output.ts', () => ({
  writeStdout: (content: Uint8Array | string) => {
    said.out += typeof content === 'string' ? content : new TextDecoder().decode(content);
  },
}));
vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
  said.err += String(text);
  return true;
});

const RUN = {
  cache_check: check,
  cache_dump: dump,
  cache_restore: restore,
  cache_repair: repair,
  cache_metadata_size: size,
  cache_writeback: writeback,
  cache_detach: detach,
  cache_generate_metadata: generate,
  cache_generate_damage: generateDamage,
};
const folder = mkdtempSync(join(tmpdir(), 'pdata-cache-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  said.out = '';
  said.err = '';
});

function file(name: string, bytes: number): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, bytes);
  return path;
}

/** Runs a command; answers its exit code and what it said. */
async function call(name: keyof typeof RUN, ...argv: string[]) {
  said.out = '';
  said.err = '';
  const spec = CACHE_TOOLS.find((command) => command.name === name)!;
  const code = await RUN[name](parseArguments(spec, argv));
  return { code, ...said };
}

async function cache(name: string, ...options: string[]): Promise<string> {
  const path = file(name, 1 << 20);
  const shape = ['--nr-cache-blocks', '1500', '--nr-mappings', '1200', '--fragmented', ...options];
  expect((await call('cache_generate_metadata', '-o', path, ...shape)).code).toBe(0);
  return path;
}

const damaged = async (name: string, kind: string, ...options: string[]): Promise<string> => {
  const path = await cache(name, ...options);
  expect((await call('cache_generate_damage', '-o', path, '--kind', kind)).out).toMatch(/\n$/);
  return path;
};
const xmlOf = (path: string): string => dumpCacheXml(MemoryDevice.from(readFileSync(path)));

describe('cache_check', () => {
  test('says nothing of a sound cache; all of it in JSON', async () => {
    const path = await cache('sound');
    expect(await call('cache_check', path)).toEqual({ code: 0, out: '', err: '' });
    const { code, out } = await call('cache_check', '--json', path);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ...{ version: 1, verdict: 'clean', grade: 'clean', metadataVersion: 2, cleanShutdown: true, needsCheck: false },
      ...{ cacheBlocks: 1500, mappedBlocks: 1200, findings: [] },
    });
  });

  test.each([
    [
      'lostMappings',
      /^array block error: Cannot read array_block.*\nmetadata contains errors\ngrade: data at risk\n {2}cache blocks \d+\.\.\d+: mappings are lost .*\nwhat helps: cache_repair -i \S+ --preview/,
    ],
    [
      'lostHints',
      /^array block error: .*\nmetadata contains errors\ngrade: repairable\n.*hints are lost.*\nwhat helps: cache_repair -i \S+ -o OUTPUT\n$/,
    ],
    [
      'lostDirtyBits',
      /^errors in bitset: array block error: .*\nmetadata contains errors\ngrade: data at risk\n.*taken for dirty/,
    ],
    [
      'mappedTwice',
      /^value error: cache block \d+: origin block \d+ already mapped\nmetadata contains errors\ngrade: data at risk\n.*left out/,
    ],
    [
      'unknownFlags',
      /^value error: cache block \d+: unknown flags in mapping: 8\nmetadata contains errors\ngrade: repairable/,
    ],
    [
      'badCount',
      /^Bad reference count for metadata block \d+\. {2}Expected 1, but space map contains 0\.\nFatal errors in metadata space map\n/,
    ],
    [
      'leak',
      /^1 metadata blocks have leaked\.\nmetadata space map contains leaks\nperhaps you wanted to run with --auto-repair\n$/,
    ],
    ['version', /^unsupported metadata version 3\ngrade: data at risk\n$/],
    ['feature', /^superblock incompatFlags is 4, none is known\n/],
    ['hintWidth', /cache_check only supports policy hint size of 4\n/],
  ])('of damage %s', async (kind, text) => {
    const path = await damaged(kind, kind);
    const { code, out, err } = await call('cache_check', path);
    expect([code, out]).toEqual([64, '']);
    expect(err).toMatch(text);
    expect(await call('cache_check', '--quiet', path)).toEqual({ code: 64, out: '', err: '' });
    const json = JSON.parse((await call('cache_check', '--json', path)).out) as {
      verdict: string;
      findings: unknown[];
    };
    expect(json.verdict).toBe(kind === 'leak' ? 'leaks' : 'damaged');
    expect(json.findings.length).toBeGreaterThan(0);
  });

  test('a superblock with a wrong checksum', async () => {
    const path = await cache('checksum');
    const bytes = readFileSync(path);
    bytes[300] = 1;
    writeFileSync(path, bytes);
    expect((await call('cache_check', path)).err).toBe('bad checksum in superblock\ngrade: data at risk\n');
  });

  test('leaks are repaired, and the flag is cleared, when that is asked for', async () => {
    const path = await damaged('leaking', 'leak');
    expect((await call('cache_generate_damage', '-o', path, '--kind', 'needsCheck')).code).toBe(0);
    expect((await call('cache_check', '--ignore-non-fatal-errors', path)).code).toBe(0);
    expect(await call('cache_check', '--auto-repair', '--skip-hints', path)).toEqual({ code: 0, out: '', err: '' });
    const { code, err } = await call('cache_check', '--auto-repair', path);
    expect([code, err]).toEqual([
      0,
      '1 metadata blocks have leaked.\nRepairing metadata leaks.\nCleared needs_check flag\n',
    ]);
    expect(await call('cache_check', path)).toEqual({ code: 0, out: '', err: '' });
  });
});

test('--json and -f ndjson print an object a line for each that XML has', async () => {
  const path = await cache('lines');
  const { code, out } = await call('cache_dump', '--json', path);
  expect(code).toBe(0);
  expect(out.split('\n')).toHaveLength(xmlOf(path).match(/<(superblock|mapping|hint|\/superblock)\b/g)!.length + 1);
  expect(out).toMatch(/^{"type":"superblock",[^\n]*}\n{"type":"mapping",.*\n{"type":"end"}\n$/s);
  expect((await call('cache_dump', '-f', 'ndjson', path)).out).toBe(out);
});

test('dump, restore and dump: the same, in both versions', async () => {
  const path = join(folder, 'golden');
  writeFileSync(path, goldenImage('cache', 'v2-clean').bytes());
  const xml = (await call('cache_dump', path)).out;
  expect(xml).toBe(goldenImage('cache', 'v2-clean').record('dump-1.1.xml'));
  const text = join(folder, 'xml');
  expect((await call('cache_dump', '-o', text, path)).out).toBe('');
  for (const version of ['1', '2']) {
    const output = file(`restored-${version}`, 1 << 20);
    expect(await call('cache_restore', '-i', text, '-o', output, '--metadata-version', version)).toEqual({
      ...{ code: 0, out: '', err: '' },
    });
    expect((await call('cache_dump', output)).out).toBe(xml);
    const facts = JSON.parse((await call('cache_check', '--json', output)).out) as object;
    expect(facts).toMatchObject({ metadataVersion: Number(version), cleanShutdown: true });
  }
  const unclean = file('unclean', 1 << 20);
  expect((await call('cache_restore', '-i', text, '-o', unclean, '--omit-clean-shutdown', '--json')).code).toBe(0);
  expect(JSON.parse((await call('cache_check', '--json', unclean)).out)).toMatchObject({ cleanShutdown: false });
});

test('cache_repair keeps what can be read; its preview says what that is', async () => {
  const path = await damaged('sick', 'lostMappings');
  await expect(call('cache_dump', path)).rejects.toThrow(/Cannot read array_block/);
  expect((await call('cache_dump', '--repair', path)).out).toContain('<mapping ');
  const { out } = await call('cache_repair', '-i', path, '--preview');
  expect(out).toMatch(
    /^would keep \d+ mappings of 1500 cache blocks, \d+ of them dirty, \d+ hints\nwould lose:\n {2}cache blocks/,
  );
  const preview = JSON.parse((await call('cache_repair', '-i', path, '--preview', '--json')).out) as {
    nrMappings: number;
  };
  const output = file('repaired', 1 << 20);
  const done = await call('cache_repair', '-i', path, '-o', output, '--json');
  expect(JSON.parse(done.out)).toMatchObject({ ...preview, output });
  expect(xmlOf(output).match(/<mapping /g)).toHaveLength(preview.nrMappings);
  expect((await call('cache_check', output)).code).toBe(0);
  const sound = await cache('sound-too', '--unclean');
  expect((await call('cache_repair', '-i', sound, '--preview')).out).toMatch(
    /not shut down in order.*\nwould lose nothing\n$/,
  );
});

test.each([
  [['--nr-blocks', '1000'], '8246.69 sectors\n'],
  [['--device-size', '1g', '--block-size', '64k', '-u', 'k'], '4544 kibibytes\n'],
  [['--nr-blocks', '1000', '-n=short', '-u', 'm'], '4.03m\n'],
  [['--nr-blocks', '100', '--max-hint-width', '8'], '8198.25 sectors\n'],
  [['--nr-blocks', '1000', '--json'], '{\n  "version": 1,\n  "bytes": 4222304\n}\n'],
])('cache_metadata_size %s', async (argv, text) => {
  expect(await call('cache_metadata_size', ...argv)).toEqual({ code: 0, out: text, err: '' });
});

test('cache_metadata_size refuses what is not enough, or cannot be', async () => {
  await expect(call('cache_metadata_size')).rejects.toThrow('Please specify either --device-size and --block-size');
  await expect(call('cache_metadata_size', '--device-size', '1g')).rejects.toThrow(/--block-size <SIZE/);
  await expect(call('cache_metadata_size', '--block-size', '64k')).rejects.toThrow(/--device-size <SIZE/);
  await expect(call('cache_metadata_size', '--device-size', '1g', '--block-size', '33k')).rejects.toThrow(
    /multiple of 32 KiB/,
  );
});

test('the kinds of damage in the table are those that there are', () => {
  expect(CACHE_DAMAGE_KINDS).toEqual([...CACHE_DAMAGES]);
});
