/** A served pool behind nbdkit's proxy with filters that delay, fail and check, and under fio with verification. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Random } from '../../packages/persistent-data/src/testing/index.ts';
import { RunningServer } from '../cli/pool-server.ts';
import { isBuilt, pdata, scratchFolder } from '../cli/program.ts';
import { peer } from '../peers.ts';
import { run, start } from './nbd-programs.ts';

const nbdkit = peer('nbdkit');
const nbdcopy = peer('nbdcopy');
const fio = peer('fio');
const qemuIo = peer('qemu-io');
const qemuImg = peer('qemu-img');
const SIZE = 16 * 2 ** 20;

const scratch = scratchFolder('served-filters');
let nrFolders = 0;
let folder: string;
let server: RunningServer;
let raw: Uint8Array;
let end: Awaited<ReturnType<typeof start>> | undefined;
const path = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = join(scratch, `${nrFolders++}`);
  mkdirSync(folder);
  if (!isBuilt) return;
  const random = new Random(nrFolders);
  raw = new Uint8Array(SIZE);
  for (let at = 0; at < SIZE; at += 4096) if (random.chance(0.4)) raw.set(random.bytes(4096), at);
  writeFileSync(path('raw'), raw);
  await commands(['pool', 'create', 'pool', '-s', '256M'], ['volume', 'create', 'pool', 'disk', '-s', '16M']);
  server = await RunningServer.start(['pool'], folder);
});

afterEach(async () => {
  await end?.();
  end = undefined;
  if (isBuilt) await server.stop('SIGKILL');
});

async function commands(...lines: string[][]): Promise<void> {
  for (const argv of lines)
    expect({ argv, ...(await pdata(argv, { cwd: folder })) }).toMatchObject({ argv, status: 0 });
}

/** Puts nbdkit between; answers the URI to use. */
async function between(filters: readonly string[], parameters: readonly string[] = []): Promise<string> {
  const names = filters.map((name) => `--filter=${name}`);
  const args = ['-f', '-U', path('p.sock'), ...names, 'nbd', `uri=${server.uri('disk')}`, ...parameters];
  end = await start(nbdkit!, args, path('p.sock'));
  return `nbd+unix:///?socket=${path('p.sock')}`;
}

async function exported(volume: string): Promise<Buffer> {
  await commands(['volume', 'export', 'pool', volume, path('exported'), '--force']);
  return readFileSync(path('exported'));
}

/** Ends the server in an orderly way, and looks at what it leaves. */
async function expectSound(): Promise<void> {
  await end?.();
  end = undefined;
  expect(await server.stop('SIGTERM')).toBe(0);
  expect((await pdata(['pool', 'check', 'pool'], { cwd: folder })).stdout).toContain('sound');
}

describe.skipIf(!(isBuilt && nbdkit && nbdcopy))('nbdkit between', { timeout: 90_000 }, () => {
  test('delays: both ways, with snapshots of what is written', async () => {
    const uri = await between(['delay'], ['rdelay=2ms', 'wdelay=2ms']);
    const copy = run(nbdcopy!, [path('raw'), uri]);
    for (const name of ['a', 'b', 'c']) await commands(['volume', 'snapshot', 'pool', 'disk', name]);
    expect(await copy).toMatchObject({ status: 0 });
    expect(await run(nbdcopy!, [uri, path('back')])).toMatchObject({ status: 0 });
    expect(Buffer.compare(readFileSync(path('back')), raw)).toBe(0);
    // Each piece of a snapshot is either what was there before, or what was being written.
    const snapshot = await exported('b');
    for (let at = 0; at < SIZE; at += 4096) {
      const piece = snapshot.subarray(at, at + 4096);
      const isKnown = piece.equals(raw.subarray(at, at + 4096)) || piece.every((byte) => byte === 0);
      if (!isKnown) expect.fail(`byte ${at} of the snapshot was never written`);
    }
    await expectSound();
  });

  test.each([
    ['writes', ['error-pwrite=ENOSPC', 'error-pwrite-rate=20%']],
    ['zeroes and trims', ['error-zero=EIO', 'error-zero-rate=50%', 'error-trim=EIO', 'error-trim-rate=50%']],
    ['block status', ['error-extents=EIO', 'error-extents-rate=50%']],
  ])('errors of %s on the way do no harm', async (_what, parameters) => {
    const uri = await between(['error'], parameters);
    for (let i = 0; i < 4; i++) await run(nbdcopy!, ['--requests=4', path('raw'), uri]);
    expect(await run(nbdcopy!, [path('raw'), server.uri('disk')])).toMatchObject({ status: 0 });
    expect(Buffer.compare(await exported('disk'), raw)).toBe(0);
    await expectSound();
  });

  test('checkwrite: what is written again is what is there, and something else is noticed', async () => {
    expect(await run(nbdcopy!, [path('raw'), server.uri('disk')])).toMatchObject({ status: 0 });
    await commands(['volume', 'snapshot', 'pool', 'disk', 'monday']);
    const uri = await between(['checkwrite']);
    expect(await run(nbdcopy!, [path('raw'), uri])).toMatchObject({ status: 0 });
    writeFileSync(path('other'), new Random(99).bytes(SIZE));
    expect((await run(nbdcopy!, [path('other'), uri])).status).not.toBe(0);
    await expectSound();
  });

  test('a proxy that is killed under load leaves the pool, and others, alone', async () => {
    const uri = await between(['delay'], ['wdelay=20ms']);
    // One request after the other, so that the copy takes many seconds on any machine.
    const copy = run(nbdcopy!, ['--connections=1', '--requests=1', '--request-size=65536', path('raw'), uri]);
    await new Promise((done) => setTimeout(done, 200));
    await end!('SIGKILL');
    end = undefined;
    expect((await copy).status).not.toBe(0);
    expect(await run(nbdcopy!, [path('raw'), server.uri('disk')])).toMatchObject({ status: 0 });
    expect(Buffer.compare(await exported('disk'), raw)).toBe(0);
    await expectSound();
  });
});

test.skipIf(!(isBuilt && fio))(
  'fio verifies what it writes, while snapshots are made and deleted',
  { timeout: 120_000 },
  async () => {
    const workload = [
      '--rw=randrw',
      '--bsrange=512-64k',
      '--bs_unaligned=1',
      '--iodepth=16',
      '--randseed=3',
      '--fsync=64',
    ];
    const verify = [
      '--verify=crc32c',
      '--verify_fatal=1',
      '--do_verify=1',
      '--verify_backlog=64',
      '--verify_state_save=0',
    ];
    const args = ['--name=v', '--ioengine=nbd', `--uri=${server.uri('disk')}`, `--size=${SIZE}`, '--io_size=32M'];
    const job = run(fio!, [...args, '--output-format=json', ...workload, ...verify]);
    let isOver = false;
    const ended = job.finally(() => {
      isOver = true;
    });
    for (let i = 0; !isOver; i++) {
      await commands(['volume', 'snapshot', 'pool', 'disk', `s${i}`]);
      if (i >= 3) await commands(['volume', 'delete', 'pool', `s${i - 3}`]);
    }
    const { status, stdout, stderr } = await ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [result] = (JSON.parse(stdout.slice(stdout.indexOf('{'))) as { jobs: { error: number }[] }).jobs;
    expect(result).toMatchObject({ error: 0 });
    await expectSound();
  },
);

test.skipIf(!(isBuilt && qemuIo && qemuImg))(
  'qemu-io scripts and qemu-img: errors are told, maps are true, copies compare',
  { timeout: 60_000 },
  async () => {
    const io = (name: string, ...lines: string[]) =>
      run(qemuIo!, ['-f', 'raw', ...lines.flatMap((line) => ['-c', line]), server.uri(name)]);
    const lines = [
      'write -P 1 0 3M',
      'write -z -u 1M 1M',
      'discard 2M 64k',
      'aio_write -P 2 5M 2M',
      'aio_flush',
      'flush',
    ];
    const checks = ['read -P 1 0 1M', 'read -P 0 1M 1M', 'read -P 0 2M 64k', 'read -P 2 5M 2M'];
    const said = await io('disk', ...lines, ...checks);
    expect(said).toMatchObject({ status: 0 });
    expect(said.stdout).not.toContain('verification failed');
    await commands(['volume', 'snapshot', 'pool', 'disk', 'one']);
    expect((await io('one', 'write 0 512')).status).not.toBe(0);
    expect((await io('disk', `read ${SIZE} 512`)).status).not.toBe(0);
    const map = JSON.parse((await run(qemuImg!, ['map', '--output=json', '-f', 'raw', server.uri('one')])).stdout) as {
      start: number;
      length: number;
      data: boolean;
    }[];
    const MIB = 2 ** 20;
    expect(map.filter(({ data }) => data).map(({ start, length }) => [start, length])).toEqual([
      [0, MIB],
      [2 * MIB + 65_536, MIB - 65_536],
      [5 * MIB, 2 * MIB],
    ]);
    await commands(['volume', 'create', 'pool', 'copy', '-s', '16M']);
    const [from, to] = [server.uri('one'), server.uri('copy')];
    expect(await run(qemuImg!, ['convert', '-n', '-f', 'raw', '-O', 'raw', from, to])).toMatchObject({ status: 0 });
    expect(await run(qemuImg!, ['compare', '-f', 'raw', '-F', 'raw', from, to])).toMatchObject({ status: 0 });
    expect(await run(qemuImg!, ['convert', '-f', 'raw', '-O', 'qcow2', from, path('q')])).toMatchObject({ status: 0 });
    expect(await run(qemuImg!, ['compare', '-f', 'qcow2', '-F', 'raw', path('q'), to])).toMatchObject({ status: 0 });
    await io('copy', 'write -P 9 0 512');
    expect((await run(qemuImg!, ['compare', '-f', 'raw', '-F', 'raw', from, to])).status).toBe(1);
    await expectSound();
  },
);
