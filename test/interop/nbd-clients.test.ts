/** NBD clients of others against our server. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NbdServer, type NbdServerOptions } from 'persistent-data/nbd';
import { ModelExport, Random } from 'persistent-data/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { peer } from '../peers.ts';
import { run, start } from './nbd-programs.ts';

const SIZE = 16 << 20;
const UNIT = 65_536;
const nbdinfo = peer('nbdinfo');
const nbdcopy = peer('nbdcopy');
const nbdkit = peer('nbdkit');
const qemuImg = peer('qemu-img');
const qemuIo = peer('qemu-io');
const fio = peer('fio');

let folder: string;
let server: NbdServer;
let disk: ModelExport;
const path = (name: string) => join(folder, name);
const uri = (name = 'disk', socket = 's.sock') => `nbd+unix:///${name}?socket=${path(socket)}`;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pdata-nbd-'));
  await serve({});
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

async function serve(options: NbdServerOptions): Promise<void> {
  server = new NbdServer(options);
  disk = new ModelExport({ size: SIZE, unitBytes: UNIT, description: 'a disk' });
  server.add('disk', disk, { isDefault: true });
  server.add('snapshot', new ModelExport({ size: 1 << 20, readOnly: true }));
  await server.listenUnix(path('s.sock'));
}

/** A file of the disk's size: random data, zeroes and runs in turn. */
function makeImage(name: string, seed = 1): Buffer {
  const random = new Random(seed);
  const bytes = Buffer.alloc(SIZE);
  for (let at = 0; at < SIZE; at += 4096) {
    const kind = random.below(4);
    if (at % (4 * UNIT) < 2 * UNIT || kind === 0) continue;
    for (let i = 0; i < 4096; i += 4) bytes.writeUInt32LE(kind === 1 ? seed : random.uint32(), at + i);
  }
  writeFileSync(path(name), bytes);
  return bytes;
}

async function succeed(program: string, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(program, args);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

describe.skipIf(!nbdinfo)('nbdinfo', () => {
  test('tells what we offer', async () => {
    const { exports: found } = JSON.parse(await succeed(nbdinfo!, '--json', uri()));
    expect(found[0]).toMatchObject({
      'export-name': 'disk',
      description: 'a disk',
      'export-size': SIZE,
      contexts: ['base:allocation', 'qemu:allocation-depth', 'x-persistent-data:sharing', 'qemu:dirty-bitmap:changes'],
      is_read_only: false,
      can_cache: true,
      can_df: true,
      can_fast_zero: true,
      can_flush: true,
      can_fua: true,
      can_multi_conn: true,
      can_trim: true,
      can_zero: true,
      block_size_minimum: 1,
      block_size_maximum: 32 << 20,
    });
    const all = JSON.parse(await succeed(nbdinfo!, '--json', '--list', uri('')));
    expect(all.exports.map((one: { 'export-name': string }) => one['export-name'])).toEqual(['disk', 'snapshot']);
    await succeed(nbdinfo!, '--is', 'read-only', uri('snapshot'));
    expect((await run(nbdinfo!, [uri('nothing')])).status).toBe(1);
  });

  test('maps', async () => {
    disk.mapped.fill(1, 3, 5);
    const map = async (context: string) => JSON.parse(await succeed(nbdinfo!, '--json', `--map=${context}`, uri()));
    expect(await map('base:allocation')).toMatchObject([
      { offset: 0, length: 3 * UNIT, type: 3 },
      { offset: 3 * UNIT, length: 2 * UNIT, type: 0 },
      { offset: 5 * UNIT, length: SIZE - 5 * UNIT, type: 3 },
    ]);
    expect(await map('qemu:dirty-bitmap:changes')).toMatchObject([
      { type: 0 },
      { offset: 3 * UNIT, length: 2 * UNIT, type: 1 },
      {},
    ]);
    expect(await map('x-persistent-data:sharing')).toMatchObject([
      { type: 0 },
      { offset: 3 * UNIT, length: UNIT, type: 1 },
      {},
    ]);
  });
});

test.skipIf(!nbdcopy)('nbdcopy, both ways, by several connections', { timeout: 60_000 }, async () => {
  const bytes = makeImage('a.img');
  await succeed(nbdcopy!, '--connections=4', '--flush', path('a.img'), uri());
  expect(Buffer.compare(disk.bytes, bytes)).toBe(0);
  // Zeroes did not take space.
  expect(disk.mapped.reduce((sum, one) => sum + one, 0)).toBeLessThan(disk.mapped.length * 0.6);
  await succeed(nbdcopy!, '--connections=4', uri(), path('b.img'));
  expect(Buffer.compare(readFileSync(path('b.img')), bytes)).toBe(0);
  expect(server.metrics.requests.flush).toBeGreaterThan(0);
});

describe.skipIf(!qemuImg)('qemu-img', () => {
  test('converts to and from us, compares, and maps', { timeout: 60_000 }, async () => {
    makeImage('a.img');
    await succeed(qemuImg!, 'convert', '-n', '-f', 'raw', '-O', 'raw', path('a.img'), uri());
    await succeed(qemuImg!, 'compare', '-f', 'raw', '-F', 'raw', path('a.img'), uri());
    await succeed(qemuImg!, 'convert', '-f', 'raw', '-O', 'qcow2', uri(), path('a.qcow2'));
    await succeed(qemuImg!, 'compare', '-f', 'qcow2', '-F', 'raw', path('a.qcow2'), uri());
    const map = JSON.parse(await succeed(qemuImg!, 'map', '--output=json', '-f', 'raw', uri())) as {
      start: number;
      length: number;
      data: boolean;
    }[];
    for (const { start, length, data } of map) {
      const units = disk.mapped.subarray(start / UNIT, Math.ceil((start + length) / UNIT));
      expect(units.every((one) => one === (data ? 1 : 0))).toBe(true);
    }
    expect(map.reduce((sum, { length }) => sum + length, 0)).toBe(SIZE);
    disk.bytes[disk.mapped.indexOf(1) * UNIT]! ^= 1;
    expect((await run(qemuImg!, ['compare', '-f', 'raw', '-F', 'raw', path('a.img'), uri()])).status).toBe(1);
  });
});

test.skipIf(!qemuIo)('qemu-io: writes, zeroes, discards at any byte, and errors', async () => {
  const script = [
    ...['write -P 0x11 1000 70000', 'read -P 0x11 1000 70000', 'write -z 2048 4096', 'read -P 0 2048 4096'],
    ...['write -z -u 131072 65536', 'read -P 0 131072 65536', 'write -f -P 0x22 65536 512', 'discard 0 64k', 'flush'],
    ...['read -P 0x22 65536 512', 'aio_write -P 0x33 1M 2M', 'aio_read 1M 1M', 'aio_flush', 'read -P 0x33 1M 2M'],
  ];
  const said = await succeed(qemuIo!, '-f', 'raw', ...script.flatMap((line) => ['-c', line]), uri());
  expect(said).not.toContain('verification failed');
  expect(disk.calls.some(({ kind }) => kind === 'trim')).toBe(true);
  expect((await run(qemuIo!, ['-f', 'raw', '-c', 'write 0 512', uri('snapshot')])).status).not.toBe(0);
  const past = await run(qemuIo!, ['-f', 'raw', '-c', `read ${SIZE} 512`, uri()]);
  expect(past.status).not.toBe(0);
});

describe.skipIf(!(nbdkit && nbdcopy))('nbdkit between', () => {
  test.each([
    ['delays', ['--filter=delay', 'rdelay=1ms', 'wdelay=1ms']],
    ['small blocks', ['--filter=blocksize', 'minblock=4k', 'maxdata=16k', 'maxlen=64k']],
    ['FUA on each write', ['--filter=fua', 'fuamode=force']],
  ])('%s', { timeout: 60_000 }, async (_what, options) => {
    const bytes = makeImage('a.img');
    const filters = options.filter((option) => option.startsWith('--'));
    const parameters = options.filter((option) => !option.startsWith('--'));
    const args = ['-f', '-U', path('p.sock'), ...filters, 'nbd', `uri=${uri()}`, ...parameters];
    const end = await start(nbdkit!, args, path('p.sock'));
    try {
      await succeed(nbdcopy!, path('a.img'), uri('', 'p.sock'));
      await succeed(nbdcopy!, uri('', 'p.sock'), path('b.img'));
    } finally {
      await end();
    }
    expect(Buffer.compare(disk.bytes, bytes)).toBe(0);
    expect(Buffer.compare(readFileSync(path('b.img')), bytes)).toBe(0);
  });

  test('errors between do us no harm', { timeout: 60_000 }, async () => {
    const bytes = makeImage('a.img');
    const args = [
      '-f',
      '-U',
      path('p.sock'),
      '--filter=error',
      'nbd',
      `uri=${uri()}`,
      'error-pwrite=ENOSPC',
      'error-pwrite-rate=30%',
    ];
    const end = await start(nbdkit!, args, path('p.sock'));
    try {
      expect((await run(nbdcopy!, [path('a.img'), uri('', 'p.sock')])).status).not.toBe(0);
    } finally {
      await end();
    }
    await succeed(nbdcopy!, path('a.img'), uri());
    expect(Buffer.compare(disk.bytes, bytes)).toBe(0);
  });

  test('checkwrite: what is written again is what is there', { timeout: 60_000 }, async () => {
    const bytes = makeImage('a.img');
    await succeed(nbdcopy!, path('a.img'), uri());
    expect(Buffer.compare(disk.bytes, bytes)).toBe(0);
    const end = await start(
      nbdkit!,
      ['-f', '-U', path('p.sock'), '--filter=checkwrite', 'nbd', `uri=${uri()}`],
      path('p.sock'),
    );
    try {
      await succeed(nbdcopy!, path('a.img'), uri('', 'p.sock'));
      makeImage('other.img', 2);
      expect((await run(nbdcopy!, [path('other.img'), uri('', 'p.sock')])).status).not.toBe(0);
    } finally {
      await end();
    }
  });
});

test.skipIf(!fio)('fio writes at random and verifies', { timeout: 60_000 }, async () => {
  const workload = ['--rw=randrw', '--bsrange=512-64k', '--bs_unaligned=1', '--iodepth=32', '--randseed=7'];
  const verify = [
    '--verify=crc32c',
    '--verify_fatal=1',
    '--do_verify=1',
    '--verify_backlog=64',
    '--verify_state_save=0',
  ];
  const args = [
    '--name=v',
    '--ioengine=nbd',
    `--uri=${uri()}`,
    `--size=${SIZE}`,
    '--io_size=24M',
    '--output-format=json',
  ];
  const said = await succeed(fio!, ...args, ...workload, ...verify);
  const [job] = JSON.parse(said.slice(said.indexOf('{'))).jobs;
  expect(job).toMatchObject({ error: 0 });
  expect(job.write.total_ios).toBeGreaterThan(100);
});

test.skipIf(!(nbdinfo && nbdcopy))('TLS by keys', { timeout: 60_000 }, async () => {
  await server.close();
  writeFileSync(path('keys'), 'alice:00112233445566778899aabbccddeeff\n');
  await serve({ tls: { pskFile: path('keys') } });
  const secure = `nbds+unix://alice@/disk?socket=${path('s.sock')}&tls-psk-file=${path('keys')}`;
  const bytes = makeImage('a.img');
  await succeed(nbdcopy!, path('a.img'), secure);
  expect(Buffer.compare(disk.bytes, bytes)).toBe(0);
  await succeed(nbdcopy!, secure, path('b.img'));
  expect(Buffer.compare(readFileSync(path('b.img')), bytes)).toBe(0);
  expect((await run(nbdinfo!, [uri()])).status).toBe(1);
  writeFileSync(path('wrong'), 'alice:ffffffffffffffffffffffffffffffff\n');
  expect((await run(nbdinfo!, [secure.replace('/keys', '/wrong')])).status).toBe(1);
});
