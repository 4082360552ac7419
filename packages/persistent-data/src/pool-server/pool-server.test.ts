import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NbdClient } from '../nbd/index.ts';
import { Pool, RecordWriter, type VolumeInfo } from '../pool/index.ts';
import { ControlClient, RemoteError } from './control-client.ts';
import { CONTROL_VERSION } from './control-protocol.ts';
import { controlSocketPath, PoolServer } from './pool-server.ts';

const MIB = 2 ** 20;
const BLOCK = 65_536;
let folder: string;
let pool: Pool;
let server: PoolServer;
let socket: string;

beforeEach(async () => {
  folder = join(mkdtempSync(join(tmpdir(), 'pdata-served-')), 'p');
  pool = Pool.create(folder, { sizeBytes: 64 * MIB });
  await pool.createVolume('disk', { sizeBytes: 8 * MIB });
  server = new PoolServer(pool);
  socket = await server.listenUnix();
  await server.listenControl();
});

afterEach(async () => {
  await server.close({ graceMs: 0 });
  await pool.close();
  rmSync(join(folder, '..'), { recursive: true });
});

async function control(): Promise<ControlClient> {
  return (await ControlClient.connect(controlSocketPath(folder)))!;
}

const names = async (): Promise<string[]> => (await NbdClient.list({ socket })).map(({ name }) => name);

test('what is made, renamed and deleted is exported, or not, at once', async () => {
  const client = await control();
  await client.call('create', { name: 'a', sizeBytes: MIB });
  await client.call('snapshot', { origin: 'disk', name: 'monday' });
  expect(await names()).toEqual(['disk', 'a', 'monday']);
  await client.call('rename', { name: 'a', to: 'b' });
  await client.call('delete', { name: 'monday' });
  expect(await names()).toEqual(['disk', 'b']);
  expect(((await client.call('list')) as VolumeInfo[]).map(({ name }) => name)).toEqual(['disk', 'b']);
  client.close();
});

test('a volume is open while a client uses it, and not longer', async () => {
  const one = await NbdClient.connect({ socket, name: 'disk' });
  await one.write(0, new Uint8Array(512).fill(7));
  const client = await control();
  for (const method of ['delete', 'rename', 'resize', 'rollback']) {
    const asked = client.call(method, { name: 'disk', to: 'x', sizeBytes: MIB });
    await expect(asked).rejects.toThrow('1 client is connected to it');
  }
  expect(pool.volumes()[0]!.nrUsers).toBe(1);
  await one.close();
  await expect.poll(() => pool.volumes()[0]!.nrUsers).toBe(0);
  await client.call('delete', { name: 'disk' });
  client.close();
});

test('a volume grows under its clients: who connects now sees it', async () => {
  const before = await NbdClient.connect({ socket, name: 'disk' });
  const client = await control();
  await client.call('resize', { name: 'disk', sizeBytes: 16 * MIB });
  const after = await NbdClient.connect({ socket, name: 'disk' });
  expect([before.size, after.size]).toEqual([8 * MIB, 16 * MIB]);
  await after.write(16 * MIB - 512, new Uint8Array(512).fill(3), { fua: true });
  await before.write(8 * MIB - 512, new Uint8Array(512).fill(2));
  expect((await after.read(8 * MIB - 512, 1024))[511]).toBe(2);
  await expect(before.read(8 * MIB, 512)).rejects.toThrow();
  const shrunk = client.call('resize', { name: 'disk', sizeBytes: 8 * MIB });
  await expect(shrunk).rejects.toThrow('Cannot shrink volume "disk": 2 clients are connected to it');
  await Promise.all([before.close(), after.close()]);
  client.close();
});

test('what the program itself does to the pool is seen at once, too', async () => {
  await pool.createVolume('own', { sizeBytes: MIB });
  await pool.createSnapshot('own', 'copy');
  expect(await names()).toEqual(['disk', 'own', 'copy']);
  await pool.renameVolume('own', 'other');
  await pool.deleteVolume('copy');
  await expect.poll(names).toEqual(['disk', 'other']);
});

test('a snapshot for the time being is no export', async () => {
  await pool.createSnapshot('disk', 'moment', { temporary: true });
  await pool.createSnapshot('disk', 'monday');
  const client = await control();
  await client.call('create', { name: 'a', sizeBytes: MIB });
  expect(await names()).toEqual(['disk', 'monday', 'a']);
  const { contexts } = await NbdClient.connect({ socket, name: 'disk' }, { contexts: ['qemu:dirty-bitmap:moment'] });
  expect(contexts).toEqual([]);
  client.close();
});

test('a server that is closed while requests and streams wait for space loses nothing that was flushed', async () => {
  const one = await NbdClient.connect({ socket, name: 'disk' });
  await one.write(0, new Uint8Array(BLOCK).fill(9), { fua: true });
  const client = await control();
  await client.call('create', { name: 'large', sizeBytes: 128 * MIB });
  const other = await NbdClient.connect({ socket, name: 'large' });
  const waiting = Promise.allSettled(
    Array.from({ length: 8 }, (_, i) => other.write(i * 16 * MIB, new Uint8Array(16 * MIB).fill(1))),
  );
  await expect.poll(() => pool.status().nrWaiting, { timeout: 10_000 }).toBeGreaterThan(0);
  const writer = new RecordWriter();
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield writer.begin({ version: 1, name: 'x', uuid: 'u', sizeBytes: MIB, from: 0, resumable: false });
    yield writer.data(0, new Uint8Array(BLOCK).fill(5));
    yield writer.end(MIB);
  }
  const received = client.receive({ name: 'x' }, stream());
  received.catch(() => undefined);
  await expect.poll(() => pool.has('x')).toBe(true);
  await server.close({ graceMs: 1, drainMs: 20 });
  expect((await waiting).some(({ status }) => status === 'rejected')).toBe(true);
  await expect(received).rejects.toThrow('it has gone');
  await pool.close();

  pool = Pool.open(folder);
  await pool.tidied;
  expect(pool.volumes().map(({ name }) => name)).toEqual(['disk', 'large']);
  const bytes = new Uint8Array(BLOCK);
  await pool.volume('disk').read(0, bytes);
  expect(bytes.every((byte) => byte === 9)).toBe(true);
  client.close();
});

test('the server says first what it is', async () => {
  const client = await control();
  expect(client.greeting).toMatchObject({ pdata: 'pool control', version: CONTROL_VERSION, pid: process.pid });
  client.close();
});

test('wrong methods and parameters are answered, and the connection goes on', async () => {
  const client = await control();
  await expect(client.call('format')).rejects.toThrow('there is no such method');
  await expect(client.call('constructor')).rejects.toThrow('there is no such method');
  await expect(client.call('create', { name: 7 })).rejects.toThrow('parameter name has to be a text');
  await expect(client.call('create', { name: 'x', sizeBytes: -1 })).rejects.toThrow('has to be an integer');
  const error = await client.call('delete', { name: 'none' }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(RemoteError);
  expect((error as RemoteError).code).toBe('PDATA_STATE');
  expect(await client.call('flush')).toBe(null);
  client.close();
});

test.each(['hello\n', '[]\n', '{"id":"x"}\n', '\0'.repeat(100), '{"id":1,"method":"receive"}\n\xff\xff\xff\xff'])(
  'a peer that says %j is sent away, others are not',
  async (text) => {
    const other = await control();
    const closed = await new Promise<boolean>((done) => {
      const raw = connect(controlSocketPath(folder), () => raw.end(Buffer.from(text, 'latin1')));
      raw.resume();
      raw.on('error', () => undefined);
      raw.on('close', () => done(true));
    });
    expect(closed).toBe(true);
    expect(await other.call('flush')).toBe(null);
    other.close();
  },
);

test('a sender that vanishes leaves what can be gone on with', async () => {
  const writer = new RecordWriter();
  const head = { version: 1, name: 'x', uuid: 'u', sizeBytes: MIB, from: 0, resumable: true } as const;
  async function* half(): AsyncGenerator<Uint8Array> {
    yield writer.begin(head);
    yield writer.data(0, new Uint8Array(BLOCK).fill(5));
    throw new Error('gone');
  }
  const first = await control();
  await expect(first.receive({ name: 'x' }, half())).rejects.toThrow('gone');
  first.close();
  await expect.poll(() => pool.has('x') && pool.record('x').receivedTo).toBe(BLOCK);
  expect(await names()).toEqual(['disk']);
  async function* whole(): AsyncGenerator<Uint8Array> {
    const again = new RecordWriter();
    yield again.begin(head);
    yield again.data(0, new Uint8Array(BLOCK).fill(5));
    yield again.data(2 * BLOCK, new Uint8Array(BLOCK).fill(6));
    yield again.end(MIB);
  }
  const second = await control();
  expect(await second.receive({ name: 'x' }, whole())).toMatchObject({ resumedAt: BLOCK, sizeBytes: MIB });
  second.close();
  expect(await names()).toEqual(['disk', 'x']);
});

test('block status tells what is mapped, shared, and different from a snapshot', async () => {
  const writer = await NbdClient.connect({ socket, name: 'disk' });
  await writer.write(0, new Uint8Array(2 * BLOCK).fill(1));
  await pool.createSnapshot('disk', 's');
  await writer.write(BLOCK, new Uint8Array(BLOCK).fill(2));
  const all = ['base:allocation', 'qemu:allocation-depth', 'x-persistent-data:sharing', 'qemu:dirty-bitmap:s'];
  const reader = await NbdClient.connect({ socket, name: 'disk' }, { contexts: all });
  const told = async (context: string): Promise<number[][]> =>
    (await reader.blockStatus(context, 0, 4 * BLOCK)).map(({ length, flags }) => [length / BLOCK, flags]);
  expect(await told('base:allocation')).toEqual([
    [2, 0],
    [2, 3],
  ]);
  expect(await told('qemu:allocation-depth')).toEqual([
    [1, 2],
    [1, 1],
    [2, 0],
  ]);
  expect(await told('x-persistent-data:sharing')).toEqual([
    [1, 1],
    [3, 0],
  ]);
  expect(await told('qemu:dirty-bitmap:s')).toEqual([
    [1, 0],
    [1, 1],
    [2, 0],
  ]);
  await writer.write(3 * BLOCK, new Uint8Array(512).fill(2));
  expect(await told('qemu:dirty-bitmap:s')).toEqual([
    [1, 0],
    [1, 1],
    [1, 0],
    [1, 1],
  ]);
  await Promise.all([writer.close(), reader.close()]);
});
