/**
 * Times of requests to a thin pool on two files in the page cache: `npm run build && npm run bench -- thin-pool [MAPPINGS] [FOLDER]`. Medians of five rounds.
 * Each request stands beside the bare system call that it needs.
 */

import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileDevice } from 'persistent-data/io';
import { FileData, ThinPool, type ThinVolume } from 'persistent-data/thin-pool';

const BLOCK = 65_536;
const nrMappings = Number(process.argv[2] ?? 10_000_000);
const folder = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'pdata-bench-pool-'));
const path = (name: string) => join(folder, name);

function report(name: string, values: number[], unit: string): number {
  values.sort((a, b) => a - b);
  const median = values[values.length >>> 1]!;
  const range = `(${values[0]!.toFixed(2)} to ${values.at(-1)!.toFixed(2)})`;
  process.stdout.write(`${name.padEnd(60)} ${median.toFixed(2).padStart(9)} ${unit} ${range}\n`);
  return median;
}

/** Processor time of one request, in microseconds. */
function time(name: string, count: number, request: (i: number) => unknown): number {
  const values: number[] = [];
  for (let round = 0; round < 5; round++) {
    const begin = process.cpuUsage();
    for (let i = 0; i < count; i++) request(round * count + i);
    const { user, system } = process.cpuUsage(begin);
    values.push((user + system) / count);
  }
  return report(name, values, 'µs');
}

async function timeOnce(name: string, count: number, request: (i: number) => Promise<unknown>): Promise<void> {
  const values: number[] = [];
  for (let i = 0; i < count; i++) {
    const begin = performance.now();
    await request(i);
    values.push(performance.now() - begin);
  }
  report(name, values, 'ms');
}

/** A permutation that goes all over the place. */
const scattered = (i: number, n: number) => (i * 40_503) % n;

async function transfers(): Promise<void> {
  const metadata = FileDevice.open(path('meta'), { create: 'new', nrBlocks: 16_384 });
  const data = FileData.open(path('data'), { create: 'new', sizeBytes: 2 ** 32 });
  const pool = ThinPool.create({ metadata, data });
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 2 ** 32 });
  const [small, large] = [new Uint8Array(4096).fill(7), new Uint8Array(2 ** 20).fill(3)];
  const nrBlocks = 8192;
  for (let i = 0; i < nrBlocks / 16; i++) await volume.write(i * 2 ** 20, large);
  await volume.flush();
  const file = openSync(path('data'), 'r+');
  const at = (i: number) => scattered(i, nrBlocks * 16) * 4096;
  const megabyte = (i: number) => (i % (nrBlocks / 16)) * 2 ** 20;
  time('pread 4 KiB', 50_000, (i) => readSync(file, small, 0, 4096, at(i)));
  time('read 4 KiB', 50_000, (i) => volume.read(at(i), small));
  time('pwrite 4 KiB', 50_000, (i) => writeSync(file, small, 0, 4096, at(i)));
  time('write 4 KiB, provisioned', 50_000, (i) => volume.write(at(i), small));
  time('pread 1 MiB', 512, (i) => readSync(file, large, 0, 2 ** 20, megabyte(i)));
  time('read 1 MiB', 512, (i) => volume.read(megabyte(i), large));
  time('write 1 MiB, provisioned', 512, (i) => volume.write(megabyte(i), large));
  time('first write 4 KiB, blocks known to be empty', 6000, (i) =>
    volume.write((nrBlocks + scattered(i, 57_000)) * BLOCK, small),
  );
  await volume.flush();
  await pool.createSnapshot({ snapshot: 1, origin: 0 });
  time('first write 4 KiB after a snapshot (64 KiB copied)', 1600, (i) =>
    volume.write(scattered(i, nrBlocks) * BLOCK, small),
  );
  await volume.flush();
  await timeOnce('4 KiB write and flush, provisioned', 50, (i) => writeAndFlush(volume, at(i), small));
  closeSync(file);
  await pool.close();
  data.close();
  metadata.close();
}

async function writeAndFlush(volume: ThinVolume, offset: number, bytes: Uint8Array): Promise<void> {
  await volume.write(offset, bytes);
  await volume.flush();
}

async function snapshots(): Promise<void> {
  const metadata = FileDevice.open(path('meta2'), { create: 'new', nrBlocks: Math.ceil(nrMappings / 100) + 16_384 });
  const data = FileData.open(path('data2'), { create: 'new', sizeBytes: (nrMappings + 100_000) * BLOCK });
  const pool = ThinPool.create({ metadata, data });
  await pool.createThin(0);
  const thin = pool.metadata.openThin(0);
  for (let i = 0; i < nrMappings; i++) thin.insert(i, pool.metadata.allocateDataBlock());
  thin.close();
  await pool.flush();
  const volume = pool.thin(0, { sizeBytes: nrMappings * BLOCK });
  const bytes = new Uint8Array(4096);
  const of = `of ${nrMappings} mappings`;
  time(`read 4 KiB of a volume ${of}`, 20_000, (i) => volume.read(scattered(i, nrMappings) * BLOCK, bytes));
  let id = 0;
  const changes: number[] = [];
  await timeOnce(`snapshot of a snapshot, 1000 deep, ${of}, with its commit`, 1000, async () => {
    await pool.change((change) => {
      const begin = performance.now();
      change.createSnapshot({ snapshot: id + 1, origin: id });
      changes.push(performance.now() - begin);
    });
    id++;
  });
  report('  without the commit: the first', changes.slice(0, 1), 'ms');
  report('  without the commit: the last hundred', changes.slice(-100), 'ms');
  const last = pool.thin(id, { sizeBytes: nrMappings * BLOCK });
  time('read 4 KiB through 1000 snapshots', 20_000, (i) => last.read(scattered(i, nrMappings) * BLOCK, bytes));
  await pool.close();
  data.close();
  metadata.close();
}

try {
  await transfers();
  await snapshots();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
