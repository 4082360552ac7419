import { mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CacheRestore, dumpCacheXml } from 'persistent-data/cache';
import { FileDevice, MemoryDevice } from 'persistent-data/io';
import { generateCache } from 'persistent-data/testing';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { pressCtrlCOnceWatched } from '../../../../test/structures/ctrl-c.ts';
import { parseArguments } from '../arguments.ts';
import { openCacheDataDevices } from '../cache-data-devices.ts';
import { isSoundCache } from '../cache-writeback-run.ts';
import { InterruptedError } from '../interrupted-error.ts';
import { Report } from '../report.ts';
import { run as detach } from './cache-detach.ts';
import { run as generateDamage } from './cache-generate-damage.ts';
import { CACHE_TOOLS } from './cache-tools-table.ts';
import { run as writeback } from './cache-writeback.ts';

const { said } = vi.hoisted(() => ({ said: { out: '', err: '' } }));
vi.mock('../standard-output.ts', () => ({
  writeStdout: (text: string) => {
    said.out += text;
  },
}));
vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
  said.err += String(text);
  return true;
});

const BLOCK = 64 * 512;
const NR_CACHE = 40;
const folder = mkdtempSync(join(tmpdir(), 'pdata-writeback-'));
afterAll(() => rmSync(folder, { recursive: true }));
const metadata = join(folder, 'metadata');
const fast = join(folder, 'fast');
const origin = join(folder, 'origin');

function makeMetadata(omitCleanShutdown: boolean): void {
  writeFileSync(metadata, '');
  truncateSync(metadata, 1 << 20);
  const device = FileDevice.open(metadata);
  const shape = { nrCacheBlocks: NR_CACHE, nrMappings: 30, blockSize: 64, percentDirty: 50, fragmented: true };
  generateCache(shape, new CacheRestore(device, { omitCleanShutdown }));
  device.close();
}

beforeEach(() => {
  makeMetadata(false);
  writeFileSync(fast, '');
  const fd = openSync(fast, 'r+');
  for (let b = 0; b < NR_CACHE; b++) writeSync(fd, new Uint8Array(BLOCK).fill(b + 1), 0, BLOCK, b * BLOCK);
  writeFileSync(origin, '');
  truncateSync(origin, 2 * NR_CACHE * BLOCK);
});

async function call(name: 'cache_writeback' | 'cache_detach', ...more: string[]) {
  said.out = '';
  said.err = '';
  const spec = CACHE_TOOLS.find((command) => command.name === name)!;
  const argv = ['--metadata-device', metadata, ...more];
  const code = await (name === 'cache_detach' ? detach : writeback)(parseArguments(spec, argv));
  return { code, ...said };
}

const DEVICES = ['--fast-device', fast, '--origin-device', origin];
const entries = (): string[][] => {
  const xml = dumpCacheXml(MemoryDevice.from(readFileSync(metadata)));
  return [...xml.matchAll(/cache_block="(\d+)" origin_block="(\d+)" dirty="(\w+)"/g)].map((found) => found.slice(1));
};
const nrDirty = (): number => entries().filter(([, , dirty]) => dirty === 'true').length;

test('cache_writeback copies what is dirty, says how much, and marks it as clean', async () => {
  const before = entries();
  const count = nrDirty();
  const { code, out, err } = await call('cache_writeback', ...DEVICES);
  expect([code, out, err]).toEqual([0, `${count}/${count} blocks successfully copied\n`, 'Copying cache blocks\n']);
  const bytes = readFileSync(origin);
  for (const [cache, block, dirty] of before) {
    expect(bytes[Number(block) * BLOCK + 7]).toBe(dirty === 'true' ? Number(cache) + 1 : 0);
  }
  expect(nrDirty()).toBe(0);
  expect((await call('cache_writeback', ...DEVICES, '--quiet')).out).toBe('');
});

test('blocks that fail are listed, with the reason', async () => {
  truncateSync(fast, 10 * BLOCK);
  const count = nrDirty();
  const { code, out, err } = await call('cache_writeback', ...DEVICES, '--list-failed-blocks', '--retry-count', '1');
  const left = nrDirty();
  expect(code).toBe(64);
  expect(left).toBeGreaterThan(3);
  expect(out).toMatch(
    new RegExp(
      `^${count - left}/${count} blocks successfully copied\ncache block \\d+, origin block \\d+: cannot read cache block`,
    ),
  );
  expect(err).toContain(`${left} blocks were not copied\nIncompleted writeback\n`);
  const { out: json } = await call('cache_writeback', ...DEVICES, '--json');
  expect(JSON.parse(json)).toMatchObject({ version: 1, blocks: left, copied: 0, failed: { length: left } });
});

test('a cache that is sick is left alone: exit code 65', async () => {
  const damage = CACHE_TOOLS.find(({ name }) => name === 'cache_generate_damage')!;
  generateDamage(parseArguments(damage, ['-o', metadata, '--kind', 'lostMappings']));
  const before = readFileSync(origin);
  for (const command of ['cache_writeback', 'cache_detach'] as const) {
    const { code, err } = await call(command, ...DEVICES);
    expect(code).toBe(65);
    expect(err).toMatch(
      /metadata contains errors \(run cache_check for details\)\.\nperhaps you need to run cache_repair\.\n$/,
    );
  }
  expect(isSoundCache(metadata, new Report({ quiet: true }))).toBe(false);
  expect(readFileSync(origin).equals(before)).toBe(true);
});

test('offsets are whole pages, and the devices two', async () => {
  await expect(call('cache_writeback', ...DEVICES, '--fast-device-offset', '3')).rejects.toThrow(
    'offsets must be page aligned',
  );
  await expect(call('cache_writeback', '--fast-device', fast, '--origin-device', fast)).rejects.toThrow(/same file/);
  const spec = CACHE_TOOLS.find(({ name }) => name === 'cache_writeback')!;
  const devices = openCacheDataDevices(parseArguments(spec, ['--metadata-device', metadata, ...DEVICES]));
  expect([devices.fast.sizeBytes, devices.origin.sizeBytes]).toEqual([NR_CACHE * BLOCK, 2 * NR_CACHE * BLOCK]);
  expect(() => devices.fast.read(new Uint8Array(10), NR_CACHE * BLOCK)).toThrow(/the device ends at/);
  devices.close();
});

test('Ctrl-C ends it between buffers; what is left is done the next time', async () => {
  truncateSync(metadata, 4 << 20);
  const count = nrDirty();
  pressCtrlCOnceWatched();
  await expect(call('cache_writeback', ...DEVICES, '--buffer-size-meg', '0')).rejects.toThrow(InterruptedError);
  const left = nrDirty();
  expect(left).toBeLessThan(count);
  expect(left).toBeGreaterThan(0);
  expect((await call('cache_writeback', ...DEVICES)).out).toBe(`${left}/${left} blocks successfully copied\n`);
});

test('cache_detach says what would be lost, and with the devices writes it back first', async () => {
  const count = nrDirty();
  const said = await call('cache_detach');
  expect(said.code).toBe(64);
  expect(said.out).toMatch(
    new RegExp(
      `^the cache must not be dropped: ${count} of 30 mapped blocks \\(\\d+KiB\\) would be lost\nwhat helps: `,
    ),
  );
  const { code, out } = await call('cache_detach', ...DEVICES);
  expect([code, out]).toEqual([
    0,
    `written back: ${count} of ${count} blocks\nthe cache can be dropped: none of its 30 mapped blocks is newer than the origin's\n`,
  ]);
  expect(JSON.parse((await call('cache_detach', '--json')).out)).toMatchObject({ canBeDropped: true, nrAtRisk: 0 });
  makeMetadata(true);
  expect((await call('cache_detach')).out).toMatch(
    /30 of 30 mapped blocks .*\nit was not shut down in order: nobody knows/,
  );
  await expect(call('cache_detach', '--fast-device', fast)).rejects.toThrow(/--origin-device <FILE>/);
  truncateSync(fast, BLOCK);
  const failed = await call('cache_detach', ...DEVICES);
  expect(failed.code).toBe(64);
  expect(failed.out).toMatch(/^written back: 1 of 30 blocks\n {2}cache block/);
});
