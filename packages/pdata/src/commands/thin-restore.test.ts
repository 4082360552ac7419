import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileDevice, MemoryDevice } from 'persistent-data/io';
import { checkThin, dumpThinXml } from 'persistent-data/thin';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { pressCtrlCOnceWatched } from '../../../../test/structures/ctrl-c.ts';
import { makePool, SNAPSHOT_POOL } from '../../../../test/structures/pools.ts';
import { parseArguments } from '../arguments.ts';
import { InterruptedError } from '../interrupted-error.ts';
import { COMMANDS } from './table.ts';
import { run } from './thin-restore.ts';

const said = vi.hoisted(() => ({ out: '' }));
vi.mock('../standard-output.ts', () => ({
  writeStdout: (content: string) => {
    said.out += content;
  },
}));

const folder = mkdtempSync(join(tmpdir(), 'pdata-restore-'));
afterAll(() => rmSync(folder, { recursive: true }));
const xml = join(folder, 'xml');
const output = join(folder, 'output');
const spec = COMMANDS.find(({ name }) => name === 'thin_restore')!;

const restore = (...argv: string[]): number | Promise<number> =>
  run(parseArguments(spec, ['-i', xml, '-o', output, ...argv]));
const restored = (): MemoryDevice => MemoryDevice.from(readFileSync(output));

beforeEach(() => {
  said.out = '';
  writeFileSync(xml, dumpThinXml(makePool(SNAPSHOT_POOL)));
  writeFileSync(output, '');
  truncateSync(output, 4 << 20);
});

test('a pool is restored, and nothing is said', async () => {
  expect(await restore()).toBe(0);
  expect([...checkThin(restored())]).toEqual([]);
  const plain = (text: string): string => text.replaceAll(/name="\d+"/g, '');
  expect(plain(dumpThinXml(restored()))).toBe(plain(readFileSync(xml, 'utf8')));
  expect(said.out).toBe('');
});

test('values on the command line win; of data blocks there are as many as the larger number says', async () => {
  expect(await restore('--transaction-id', '9', '--data-block-size', '256', '--nr-data-blocks', '5', '--json')).toBe(0);
  const first = dumpThinXml(restored()).split('\n')[0];
  expect(first).toMatch(/transaction="9" version="2" data_block_size="256" nr_data_blocks="20000">$/);
  expect(JSON.parse(said.out)).toEqual({ version: 1, output });
});

test('an output that somebody is writing is refused', async () => {
  const other = FileDevice.open(output);
  await expect(restore()).rejects.toThrow(/output/);
  other.close();
});

test('Ctrl-C ends it: no lock is left, and no pool', async () => {
  const text = readFileSync(xml, 'utf8');
  writeFileSync(xml, text.replace('</superblock>', `${' '.repeat(5 << 20)}</superblock>`));
  pressCtrlCOnceWatched();
  await expect(restore()).rejects.toThrow(InterruptedError);
  expect(existsSync(`${output}.lock`)).toBe(false);
  expect([...checkThin(restored())]).toHaveLength(1);
});
