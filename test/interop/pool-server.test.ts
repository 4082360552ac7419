/** A served pool and the clients of others: nbdinfo, nbdcopy, qemu-img, qemu-io. What they were told is durable survives SIGKILL. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { MemoryDevice } from '../../packages/persistent-data/src/io/index.ts';
import { NbdClient, parseUri } from '../../packages/persistent-data/src/nbd/index.ts';
import { Random } from '../../packages/persistent-data/src/testing/index.ts';
import { client, hasProgram, RunningServer } from '../cli/pool-server.ts';
import { isBuilt, pdata, scratchFolder } from '../cli/program.ts';
import { goldenImage } from '../golden/image.ts';
import { SickPool } from '../structures/sick-pool.ts';

const scratch = scratchFolder('served');
const SIZE = 8 * 2 ** 20;
let nrFolders = 0;
const servers: RunningServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop('SIGKILL')));
});

async function serve(argv: readonly string[], cwd: string): Promise<RunningServer> {
  const server = await RunningServer.start(argv, cwd);
  servers.push(server);
  return server;
}

/** A folder with a pool of one volume of 8 MiB, and a raw file of that length. */
async function begin() {
  const folder = join(scratch, `${nrFolders++}`);
  mkdirSync(folder);
  const raw = new Uint8Array(SIZE);
  raw.set(new Random(1).bytes(SIZE / 4), SIZE / 2);
  writeFileSync(join(folder, 'raw'), raw);
  for (const argv of [
    ['pool', 'create', 'pool', '--size', '256M'],
    ['volume', 'create', 'pool', 'disk', '--size', '8M'],
  ]) {
    expect(await pdata(argv, { cwd: folder })).toMatchObject({ status: 0 });
  }
  return { folder, raw, file: (name: string) => join(folder, name) };
}

const text = (value: unknown): string => JSON.stringify(value);

describe.skipIf(!isBuilt)('a served pool', { timeout: 90_000 }, () => {
  test.skipIf(!hasProgram('nbdinfo') || !hasProgram('nbdcopy'))('nbdinfo and nbdcopy', async () => {
    const { folder, raw, file } = await begin();
    const server = await serve(['pool'], folder);
    client('nbdcopy', file('raw'), server.uri('disk'));
    client('nbdcopy', server.uri('disk'), file('back'));
    expect(readFileSync(file('back')).equals(raw)).toBe(true);
    const map = JSON.parse(client('nbdinfo', '--map', '--json', server.uri('disk'))) as {
      offset: number;
      type: number;
    }[];
    expect(map.map(({ offset, type }) => [offset, type])).toEqual([
      [0, 3],
      [SIZE / 2, 0],
      [(SIZE * 3) / 4, 3],
    ]);
    await pdata(['volume', 'snapshot', 'pool', 'disk', 'monday'], { cwd: folder });
    const listed = client('nbdinfo', '--list', '--json', server.uri(''));
    expect(
      (JSON.parse(listed) as { exports: { 'export-name': string; is_read_only: boolean }[] }).exports,
    ).toMatchObject([
      { 'export-name': 'disk', is_read_only: false },
      { 'export-name': 'monday', is_read_only: true },
    ]);
    expect(await servers.pop()!.stop('SIGTERM')).toBe(0);
  });

  test.skipIf(!hasProgram('qemu-io') || !hasProgram('qemu-img'))(
    'qemu-io and qemu-img, with snapshots of what is in use',
    async () => {
      const { folder, file } = await begin();
      const server = await serve(['pool'], folder);
      const io = (name: string, ...commands: string[]): string =>
        client('qemu-io', '-f', 'raw', ...commands.flatMap((command) => ['-c', command]), server.uri(name));
      io('disk', 'write -P 1 0 1M', 'flush');
      expect(await pdata(['volume', 'snapshot', 'pool', 'disk', 'one'], { cwd: folder })).toMatchObject({ status: 0 });
      io('disk', 'write -P 2 64k 4k', 'write -z -u 512k 128k', 'read -P 2 64k 4k', 'read -P 0 512k 128k');
      client('qemu-io', '-r', '-f', 'raw', '-c', 'read -P 1 0 1M', server.uri('one'));
      client('qemu-img', 'convert', '-f', 'raw', '-O', 'raw', server.uri('disk'), file('converted'));
      client('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', server.uri('disk'), file('converted'));
      const dirty = await dirtyRanges(server.uri('disk'), 'one');
      expect(text(dirty)).toBe(
        text([
          [65_536, 65_536],
          [524_288, 131_072],
        ]),
      );
    },
  );

  test('clients in use keep a volume from being deleted; a second server is refused by name', async () => {
    const { folder } = await begin();
    const server = await serve(['pool'], folder);
    const one = await NbdClient.connect(server.uri('disk'));
    await one.write(0, new Uint8Array(4096).fill(1));
    const deleted = await pdata(['volume', 'delete', 'pool', 'disk'], { cwd: folder });
    expect(deleted.stderr).toContain('1 client is connected to it');
    const second = await pdata(['serve', 'pool'], { cwd: folder });
    expect(second.stderr).toMatch(/Cannot open pool pool: process \d+ on .* has it open since .*one server for a pool/);
    await one.close();
  });

  test('writes that find no space wait until the pool has grown', async () => {
    const { folder } = await begin();
    expect(await pdata(['pool', 'create', 'small', '--size', '1M'], { cwd: folder })).toMatchObject({ status: 0 });
    expect(await pdata(['volume', 'create', 'small', 'v', '-s', '8M'], { cwd: folder })).toMatchObject({ status: 0 });
    const server = await serve(['small'], folder);
    const one = await NbdClient.connect(server.uri('v'));
    const data = new Random(2).bytes(4 * 2 ** 20);
    const written = one.write(0, data);
    await expect.poll(() => server.event('mode'), { timeout: 10_000 }).toMatchObject({ mode: 'out_of_data_space' });
    expect(await pdata(['pool', 'grow', 'small', '--size', '64M'], { cwd: folder })).toMatchObject({ status: 0 });
    await written;
    expect(Buffer.compare(await one.read(0, data.length), data)).toBe(0);
    await one.close();
  });

  test.each([1, 2, 3])('SIGKILL under load: all that was flushed is there (seed %d)', async (seed) => {
    const { folder } = await begin();
    const random = new Random(seed);
    const server = await serve(['pool'], folder);
    const uri = server.uri('disk');
    const one = await NbdClient.connect(uri);
    const blocks = SIZE / 4096;
    /** For each block what was durable at last, and what was sent since. */
    const durable = new Array<number>(blocks).fill(0);
    const since = Array.from({ length: blocks }, () => new Set<number>());
    let isDead = false;
    const load = async (): Promise<void> => {
      for (let tag = 1; !isDead; tag = (tag % 250) + 1) {
        const batch = Array.from({ length: 8 }, () => random.below(blocks));
        for (const block of batch) since[block]!.add(tag);
        const fua = random.chance(0.3);
        const data = new Uint8Array(4096).fill(tag);
        await Promise.all([...new Set(batch)].map((block) => one.write(block * 4096, data, { fua })));
        if (fua) for (const block of new Set(batch)) settle(block, tag);
        if (random.chance(0.2)) {
          const before = since.map((tags) => [...tags].at(-1));
          await one.flush();
          for (const [block, last] of before.entries()) if (last !== undefined) settle(block, last);
        }
      }
    };
    let nrSettled = 0;
    const settle = (block: number, tag: number): void => {
      nrSettled += 1;
      durable[block] = tag;
      since[block]!.clear();
    };
    const done = load().catch(() => undefined);
    // Not after a time: on a busy machine nothing would have been flushed by then.
    const wanted = 100 + random.below(1000);
    await expect.poll(() => nrSettled, { timeout: 60_000, interval: 3 }).toBeGreaterThan(wanted);
    expect(await servers.pop()!.stop('SIGKILL')).toBe('SIGKILL');
    isDead = true;
    await done;
    expect(Math.max(...durable)).toBeGreaterThan(0);

    const again = await serve(['pool'], folder);
    const reader = await NbdClient.connect(again.uri('disk'));
    const found = await reader.read(0, SIZE);
    await reader.close();
    for (let block = 0; block < blocks; block++) {
      const tag = found[block * 4096]!;
      const isKnown = tag === durable[block] || since[block]!.has(tag);
      expect(isKnown, `block ${block} holds ${tag}, ${durable[block]} was durable (seed ${seed})`).toBe(true);
    }
    expect(await servers.pop()!.stop('SIGINT')).toBe(0);
    expect((await pdata(['pool', 'check', 'pool'], { cwd: folder })).stdout).toContain('sound');
  });

  test('metrics and health over HTTP', async () => {
    const { folder } = await begin();
    const server = await serve(['pool', '--metrics', '127.0.0.1:0'], folder);
    const one = await NbdClient.connect(server.uri('disk'));
    await one.write(0, new Uint8Array(4096));
    await one.flush();
    await one.close();
    const { port } = server.event('metrics') as { port: number };
    const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(page).toContain('pdata_nbd_requests_total{command="write"} 1\n');
    expect(page).toMatch(/^pdata_nbd_request_duration_seconds_count\{command="flush"\} 1$/m);
    expect(page).toMatch(/^pdata_pool_data_used_bytes 65536$/m);
    expect(await (await fetch(`http://127.0.0.1:${port}/health`)).text()).toBe('write\n');
    expect((await fetch(`http://127.0.0.1:${port}/other`)).status).toBe(404);
  });

  test('a pool that Linux made, by device ids, also a damaged one', async () => {
    const folder = join(scratch, `${nrFolders++}`);
    mkdirSync(folder);
    const image = goldenImage('scripted', '06-write-snapshot').bytes();
    writeFileSync(join(folder, 'metadata'), image);
    writeFileSync(join(folder, 'data'), new Uint8Array(64 * 2 ** 20));
    const argv = ['--metadata', 'metadata', '--data', 'data', '--socket', 'sock', '--read-only'];
    const whole = await serve(argv, folder);
    const sizes = (await NbdClient.list(whole.uri(''))).map(({ name }) => name);
    expect(sizes.length).toBeGreaterThan(0);
    const one = await NbdClient.connect(whole.uri(sizes[0]!));
    expect(one.readOnly).toBe(true);
    await one.close();
    await servers.pop()!.stop('SIGTERM');
    const sick = new SickPool(MemoryDevice.from(image.slice()));
    sick.spoil(sick.detailsRoot);
    const damaged = sick.device.toBytes();
    writeFileSync(join(folder, 'metadata'), damaged);
    const saved = await serve(argv, folder);
    expect(saved.event('damaged')).toBeDefined();
    expect((await NbdClient.list(saved.uri(''))).map(({ name }) => name)).toEqual(sizes);
    expect(readFileSync(join(folder, 'metadata')).equals(damaged)).toBe(true);
  });
});

/** The ranges that `qemu:dirty-bitmap` tells as different from a snapshot. */
async function dirtyRanges(uri: string, snapshot: string): Promise<number[][]> {
  const context = `qemu:dirty-bitmap:${snapshot}`;
  const one = await NbdClient.connect(parseUri(uri), { contexts: ['base:allocation', context] });
  const found = await one.blockStatus(context, 0, SIZE);
  await one.close();
  const ranges: number[][] = [];
  let at = 0;
  for (const { length, flags } of found) {
    if (flags === 1) ranges.push([at, length]);
    at += length;
  }
  return ranges;
}
