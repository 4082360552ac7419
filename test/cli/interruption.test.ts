/** Ctrl-C with real processes and real signals: 130, no lock left, and what was being written is taken for valid by nobody. */

import { type ChildProcess, spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { isBuilt, pdata, scratchFolder } from './program.ts';

const MAIN = join(import.meta.dirname, '../../packages/pdata/dist/main.js');
const MAPPINGS = 1_000_000;
/** Mappings of the pool whose data is copied: 256 MiB. */
const VOLUME_BLOCKS = 4096;

const folder = scratchFolder('interruption');
const path = (name: string): string => join(folder, name);

function sized(name: string, bytes: number): void {
  writeFileSync(path(name), '');
  truncateSync(path(name), bytes);
}

/** A pool of single mappings, none next to another, so that there is much to do. */
function writeXml(name: string, mappings: number, nrDataBlocks: number): void {
  const fd = openSync(path(name), 'w');
  const device = `<device dev_id="1" mapped_blocks="${mappings}" transaction="0" creation_time="0" snap_time="0">`;
  writeSync(
    fd,
    `<superblock uuid="" time="0" transaction="1" data_block_size="128" nr_data_blocks="${nrDataBlocks}">${device}\n`,
  );
  for (let begin = 0; begin < mappings; begin += 10_000) {
    const lines = Array.from({ length: Math.min(10_000, mappings - begin) }, (_, i) => {
      const b = begin + i;
      return `<single_mapping origin_block="${2 * b}" data_block="${(b * 7) % mappings}" time="0"/>\n`;
    });
    writeSync(fd, lines.join(''));
  }
  writeSync(fd, '</device></superblock>');
}

/** A copy of metadata with a leaked block, for which a check has to look at everything. */
async function leaky(from: string, to: string): Promise<void> {
  copyFileSync(path(from), path(to));
  const { status, stderr } = await pdata(['thin_generate_damage', '--kind', 'leak', '-o', path(to)]);
  if (status !== 0) throw new Error(stderr);
}

beforeAll(async () => {
  if (!isBuilt) return;
  writeXml('large.xml', MAPPINGS, MAPPINGS);
  writeXml('volume.xml', VOLUME_BLOCKS, VOLUME_BLOCKS);
  for (const [name, size] of [
    ['large', 100 << 20],
    ['volume', 4 << 20],
  ] as const) {
    sized(name, size);
    const { status, stderr } = await pdata(['thin_restore', '-i', path(`${name}.xml`), '-o', path(name)]);
    if (status !== 0) throw new Error(stderr);
  }
  await leaky('large', 'leaky');
  sized('data', VOLUME_BLOCKS * 65_536);
  await pdata(['thin_metadata_pack', '-i', path('large'), '-o', path('large.pack')]);
}, 120_000);

interface Case {
  readonly argv: readonly string[];
  /** The signal is sent when this file is there, and has something in it. */
  readonly when?: string;
  /** Metadata that was being written: it is not taken for valid. */
  readonly invalid?: string;
  /** Metadata that is still as good as it was. */
  readonly valid?: string;
}

const CASES: readonly Case[] = [
  { argv: ['thin_restore', '-i', '@large.xml', '-o', '@out'], when: 'out.lock', invalid: 'out' },
  { argv: ['thin_repair', '-i', '@large', '-o', '@out'], when: 'out.lock', invalid: 'out' },
  { argv: ['thin_check', '--auto-repair', '@leaky'], when: 'leaky.lock', valid: 'leaky' },
  { argv: ['thin_dump', '@large', '-o', '@made.xml'], when: 'made.xml' },
  { argv: ['thin_metadata_pack', '-i', '@large', '-o', '@made.pack'], when: 'made.pack' },
  { argv: ['thin_metadata_unpack', '-i', '@large.pack', '-o', '@made'], when: 'made.lock', invalid: 'made' },
  {
    argv: [
      'thin_shrink',
      '-i',
      '@large',
      '-o',
      '@out',
      '--data',
      '@data',
      '--nr-blocks',
      `${MAPPINGS}`,
      '--no-copy',
      '--binary',
    ],
    when: 'out.lock',
    invalid: 'out',
  },
  {
    argv: ['thin_extract', '--metadata-dev', '@volume', '--data-dev', '@data', '--dev-id', '1', '-o', '@made.raw'],
    when: 'made.raw',
  },
  {
    argv: [
      'thin_migrate',
      '--metadata-dev',
      '@volume',
      '--data-dev',
      '@data',
      '--dev-id',
      '1',
      '--dest-file',
      '@made.img',
    ],
    when: 'made.img',
  },
];

function exitOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }> {
  let stderr = '';
  child.stderr?.on('data', (text) => {
    stderr += text;
  });
  return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, stderr })));
}

/** Looks as often as can be; files that are written to are found in the middle. */
function whenThere(name: string, child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (child.exitCode !== null || (existsSync(path(name)) && statSync(path(name)).size > 0)) resolve();
      else setImmediate(look);
    };
    look();
  });
}

describe.skipIf(!isBuilt)('Ctrl-C', () => {
  test.each(CASES)('ends $argv.0 with 130', { timeout: 60_000 }, async ({ argv, when, invalid, valid }) => {
    sized('out', 100 << 20);
    const child = spawn(
      process.execPath,
      [MAIN, ...argv.map((word) => (word.startsWith('@') ? path(word.slice(1)) : word))],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    const exit = exitOf(child);
    if (when !== undefined) await whenThere(when, child);
    child.kill('SIGINT');
    const { code, signal, stderr } = await exit;
    expect({ code, signal }, stderr).toEqual({ code: 130, signal: null });
    expect(stderr).not.toContain('nterrupt');
    expect(readdirSync(folder).filter((name) => name.includes('.lock'))).toEqual([]);
    if (invalid !== undefined) expect((await pdata(['thin_check', path(invalid)])).status).toBe(64);
    if (valid !== undefined) expect((await pdata(['thin_check', '--auto-repair', path(valid)])).status).toBe(0);
  });

  test('ends a restore that goes on between its reads', async () => {
    sized('out', 100 << 20);
    const child = spawn(process.execPath, [MAIN, 'thin_restore', '-i', path('large.xml'), '-o', path('out')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const exit = exitOf(child);
    await whenThere('out.lock', child);
    // By now it has waited for its input, which a signal on the first stretch would have kept it from.
    await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGINT');
    expect(await exit).toEqual({ code: 130, signal: null, stderr: '' });
    expect(readdirSync(folder).filter((name) => name.includes('.lock'))).toEqual([]);
  });

  test('ends a dump that waits for its reader', async () => {
    const child = spawn(process.execPath, [MAIN, 'thin_dump', path('large')], { stdio: ['ignore', 'pipe', 'pipe'] });
    const exit = exitOf(child);
    await new Promise((resolve) => child.stdout.once('readable', resolve));
    child.kill('SIGINT');
    child.stdout.resume();
    expect(await exit).toEqual({ code: 130, signal: null, stderr: '' });
  });

  test('a cut dump and a cut pack are refused', async () => {
    sized('out', 100 << 20);
    expect((await pdata(['thin_restore', '-i', path('made.xml'), '-o', path('out')])).status).toBe(64);
    expect((await pdata(['thin_metadata_unpack', '-i', path('made.pack'), '-o', path('out'), '-f'])).status).not.toBe(
      0,
    );
  });
});
