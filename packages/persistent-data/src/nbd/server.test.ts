/** A server and clients over real sockets. */

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  DeviceError,
  LockedError,
  PersistentDataError,
  ReadOnlyError,
  StateError,
  UnsupportedError,
} from '../base/index.ts';
import { bytesOf, ModelExport, nbdInfoData, nbdOption, nbdRequest } from '../testing/index.ts';
import { NbdClient, type NbdClientOptions } from './client.ts';
import type { NbdLogEvent } from './metrics.ts';
import { NbdServer, type NbdServerOptions } from './server.ts';

const SIZE = 1 << 20;
let folder: string;
let server: NbdServer;
let events: NbdLogEvent[];
const open: NbdClient[] = [];
const socketPath = () => join(folder, 's.sock');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pdata-nbd-'));
});
afterEach(async () => {
  for (const client of open.splice(0)) await client.close();
  await server.close({ graceMs: 0 });
  rmSync(folder, { recursive: true });
});

async function serve(options: NbdServerOptions = {}, served = new ModelExport({ size: SIZE })): Promise<ModelExport> {
  events = [];
  server = new NbdServer({ log: (event) => events.push(event), ...options });
  server.add('disk', served, { isDefault: true });
  await server.listenUnix(socketPath());
  return served;
}

async function client(options: NbdClientOptions = {}, name = 'disk'): Promise<NbdClient> {
  const one = await NbdClient.connect({ socket: socketPath(), name }, options);
  open.push(one);
  return one;
}

/** A bare socket, and what it heard. */
async function bare(): Promise<{ socket: Socket; heard: Buffer[]; closed: Promise<void> }> {
  const socket = connect(socketPath());
  const heard: Buffer[] = [];
  socket.on('data', (piece: Buffer) => heard.push(piece));
  socket.on('error', () => {});
  const closed = new Promise<void>((done) => socket.once('close', () => done()));
  await new Promise<void>((done) => socket.once('data', () => done()));
  return { socket, heard, closed };
}

/** Waits for something that other events bring about. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((done) => setTimeout(done, 2));
}

const forms: NbdClientOptions[] = [{ structured: false, extended: false }, { extended: false }, {}];

describe('a client', () => {
  test.each(forms)('does everything: %j', async (form) => {
    const served = await serve();
    const one = await client(form);
    expect([one.size, one.readOnly, one.canTrim, one.canMultiConn]).toEqual([SIZE, false, true, true]);
    const data = Uint8Array.from({ length: 300_001 }, (_, i) => i * 7);
    await one.write(999, data, { fua: true });
    expect(await one.read(999, data.length)).toEqual(data);
    expect(Buffer.compare(served.bytes.subarray(999, 999 + data.length), data)).toBe(0);
    await one.trim(0, 8192);
    await one.writeZeroes(8192, 4096, { noHole: true });
    await one.writeZeroes(12_288, 4096, { fast: true });
    await expect(one.writeZeroes(0, 4096, { fast: true, noHole: true })).rejects.toMatchObject({ errno: 'ENOTSUP' });
    await one.cache(0, 100);
    await one.flush();
    expect((await one.read(0, 16_384)).every((byte) => byte === 0)).toBe(true);
    expect(served.calls.filter(({ kind }) => kind === 'flush').length).toBe(2);
    if (form.structured === false)
      await expect(one.blockStatus('base:allocation', 0, SIZE)).rejects.toThrow(StateError);
    else {
      expect(await one.blockStatus('base:allocation', 0, SIZE)).toEqual([
        { length: 8192, flags: 3 },
        { length: 4096, flags: 0 },
        { length: 4096, flags: 3 },
        { length: 286_720, flags: 0 },
        { length: SIZE - 303_104, flags: 3 },
      ]);
      expect(await one.blockStatus('base:allocation', 10, 100, { one: true })).toEqual([{ length: 100, flags: 3 }]);
    }
    await expect(one.read(SIZE, 1)).rejects.toThrow(RangeError);
    await one.close();
    await expect(one.read(0, 1)).rejects.toThrow(StateError);
    expect(server.metrics.requests.disc).toBe(1);
  });

  test('many requests at once, more than go at once', async () => {
    await serve({ maxInFlight: 4 }, new ModelExport({ size: SIZE, before: () => Promise.resolve() }));
    const one = await client({ maxInFlight: 8, maxInFlightBytes: 20_000 });
    const numbers = Array.from({ length: 200 }, (_, i) => i);
    await Promise.all(numbers.map((i) => one.write(i * 5000, new Uint8Array(5000).fill(i))));
    const read = await Promise.all(numbers.map((i) => one.read(i * 5000, 5000)));
    for (const i of numbers) expect(read[i]!.every((byte) => byte === i)).toBe(true);
  });

  test('lists, and is told what is not there', async () => {
    await serve();
    server.add('snap', new ModelExport({ size: 4096, readOnly: true, description: 'a snapshot' }));
    expect(await NbdClient.list({ socket: socketPath() })).toEqual([
      { name: 'disk', description: '' },
      { name: 'snap', description: 'a snapshot' },
    ]);
    await expect(client({}, 'none')).rejects.toThrow(StateError);
    const snap = await client({}, 'snap');
    expect(snap.description).toBe('a snapshot');
    await expect(snap.write(0, new Uint8Array(1))).rejects.toThrow(ReadOnlyError);
    await expect(snap.trim(0, 1)).rejects.toThrow(ReadOnlyError);
  });

  test('errors of the export, and the end of the server', async () => {
    await serve(
      {},
      new ModelExport({
        size: SIZE,
        before: ({ kind }) => (kind === 'read' ? Promise.reject(new Error('bad sector')) : undefined),
      }),
    );
    const one = await client();
    await expect(one.read(0, 10)).rejects.toMatchObject({
      errno: 'EIO',
      message: expect.stringContaining('bad sector'),
    });
    expect(events.find(({ event }) => event === 'failed')).toMatchObject({ level: 'error', export: 'disk' });
    expect(server.metrics.errors.EIO).toBe(1);
    await one.flush();
    await server.close({ graceMs: 0 });
    await expect(one.flush()).rejects.toThrow(DeviceError);
    await expect(client()).rejects.toThrow(DeviceError);
  });

  test('a dead server, before and after the negotiation', async () => {
    await serve(
      {},
      new ModelExport({ size: SIZE, before: ({ kind }) => (kind === 'flush' ? new Promise(() => {}) : undefined) }),
    );
    const one = await client({ replyTimeoutMs: 50 });
    await expect(one.flush()).rejects.toThrow('has not answered');
    await expect(one.read(0, 1)).rejects.toThrow(DeviceError);
    const { createServer } = await import('node:net');
    const mute = createServer(() => {}).listen(join(folder, 'mute'));
    await expect(NbdClient.connect({ socket: join(folder, 'mute') }, { handshakeTimeoutMs: 30 })).rejects.toThrow(
      'took more than 30 ms',
    );
    mute.close();
    // The flush never ends: the server's end must not wait for it here.
    server = new NbdServer();
  });
});

describe('a server', () => {
  test('others do not notice a client that vanishes in the middle of a request', async () => {
    await serve();
    const good = await client();
    const go = bytesOf([3, 4], nbdOption(7, nbdInfoData('disk')));
    for (const message of [
      new Uint8Array(0),
      go,
      bytesOf(go, nbdRequest({ type: 1, length: 100_000 }), new Uint8Array(50_000)),
    ]) {
      const { socket } = await bare();
      socket.write(message);
      await good.write(0, new Uint8Array(1000));
      socket.destroy();
      await good.flush();
    }
    await until(() => server.metrics.connections.open === 1);
    expect(server.metrics.connections).toMatchObject({ total: 4, dropped: 0 });
  });

  test('cuts off who does not finish the handshake, or breaks the protocol', async () => {
    await serve({ handshakeTimeoutMs: 20 });
    const good = await client();
    const idle = await bare();
    await idle.closed;
    const rude = await bare();
    rude.socket.write(new Uint8Array(100).fill(255));
    await rude.closed;
    await good.flush();
    expect(server.metrics.connections.dropped).toBe(2);
    expect(events.filter(({ event }) => event === 'dropped').length).toBe(2);
  });

  test('turns away who comes when it is full', async () => {
    await serve({ maxConnections: 1 });
    const good = await client();
    await expect(NbdClient.connect({ socket: socketPath() })).rejects.toThrow(DeviceError);
    await good.flush();
    expect(server.metrics.connections).toMatchObject({ open: 1, refused: 1 });
  });

  test('a slow reader gets all, in the end, and others are quick', async () => {
    await serve({ memoryBytes: 4 << 20 });
    const good = await client();
    const slow = await bare();
    slow.socket.pause();
    slow.socket.write(bytesOf([3, 4], nbdOption(8), nbdOption(7, nbdInfoData('disk'))));
    const reads = Array.from({ length: 100 }, (_, i) => nbdRequest({ type: 0, cookie: i, length: 200_000, flags: 4 }));
    slow.socket.write(bytesOf(...reads));
    for (let i = 0; i < 50; i += 1) await good.read(0, 65_536);
    expect(server.metrics.requests.read).toBeLessThan(150);
    slow.socket.resume();
    const nrBytes = () => slow.heard.reduce((sum, piece) => sum + piece.byteLength, 0);
    await until(() => nrBytes() >= 100 * 200_028);
    slow.socket.destroy();
  });

  test('exports come and go while clients are there', async () => {
    await serve();
    server.add('other', new ModelExport({ size: 4096 }));
    const [one, other] = [await client(), await client({}, 'other')];
    expect([server.nrUsers('disk'), server.nrUsers('other')]).toEqual([1, 1]);
    const removed = server.remove('other', { graceMs: 5000 });
    await expect(client({}, 'other')).rejects.toThrow(StateError);
    await expect(other.read(0, 1)).rejects.toMatchObject({ errno: 'ESHUTDOWN' });
    await other.close();
    await removed;
    await one.flush();
    await expect(server.remove('other')).rejects.toThrow(StateError);
    await expect(server.remove('')).rejects.toThrow(StateError);
    expect(server.nrUsers('other')).toBe(0);
  });

  test('`close()` finishes what is in flight', async () => {
    let finish = () => {};
    const served = new ModelExport({
      size: SIZE,
      before: () =>
        new Promise<void>((done) => {
          finish = done;
        }),
    });
    await serve({}, served);
    const one = await client();
    const writing = one.write(0, new Uint8Array(10));
    await until(() => served.calls.length === 1);
    const closed = server.close({ graceMs: 1 });
    await new Promise((done) => setTimeout(done, 20));
    finish();
    await writing;
    await closed;
    expect(server.metrics.connections.open).toBe(0);
    await expect(server.listenTcp({ port: 0 })).rejects.toThrow(StateError);
  });

  test('`close()` does not wait for ever for what does not end', async () => {
    const events: string[] = [];
    const served = new ModelExport({ size: SIZE, before: () => new Promise<void>(() => undefined) });
    await serve({ log: ({ event, message }) => events.push(`${event} ${message}`) }, served);
    const [one, other] = [await client(), await client()];
    const writing = one.write(0, new Uint8Array(10));
    writing.catch(() => undefined);
    await until(() => served.calls.length === 1);
    await server.close({ graceMs: 1, drainMs: 30 });
    await expect(writing).rejects.toThrow(DeviceError);
    await expect(other.read(0, 1)).rejects.toThrow();
    expect(server.metrics.connections.open).toBe(0);
    expect(events).toContain('dropped 1 requests have not ended in 30 ms');
  });

  test('listens on TCP for itself only, unless it is told to', async () => {
    await serve();
    const { host, port } = await server.listenTcp({ port: 0 });
    const one = await NbdClient.connect(`nbd://${host}:${port}/disk`);
    await one.flush();
    await one.close();
    await expect(server.listenTcp({ host: '0.0.0.0', port: 0 })).rejects.toThrow(UnsupportedError);
    await expect(server.listenTcp({ host: '127.0.0.1.example.org', port: 0 })).rejects.toThrow(UnsupportedError);
    await server.listenTcp({ host: '0.0.0.0', port: 0, insecure: true });
    await expect(server.listenTcp({ port })).rejects.toThrow(LockedError);
    await expect(server.listenUnix(socketPath())).rejects.toThrow(PersistentDataError);
  });

  test('says why a connection was lost', async () => {
    await serve();
    const { port } = await server.listenTcp({ port: 0 });
    const socket = connect(port, '127.0.0.1');
    await new Promise((done) => socket.once('data', done));
    socket.resetAndDestroy();
    await until(() => events.some(({ event }) => event === 'disconnected'));
    expect(events.find(({ event }) => event === 'disconnected')).toMatchObject({
      message: expect.stringContaining('ECONNRESET'),
    });
  });
});
