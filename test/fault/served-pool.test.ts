/** A served pool with clients and disks that misbehave: the right NBD error or a clean end, others unharmed, nothing that was flushed lost. */

import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryDevice } from 'persistent-data/io';
import { NbdClient } from 'persistent-data/nbd';
import { Pool, type PoolOptions } from 'persistent-data/pool';
import { PoolServer } from 'persistent-data/pool-server';
import { bytesOf, FaultDevice, nbdInfoData, nbdOption, nbdRequest } from 'persistent-data/testing';
import { checkThin } from 'persistent-data/thin';
import { BlockData } from 'persistent-data/thin-pool';
import { afterEach, beforeEach, expect, test } from 'vitest';

const MIB = 2 ** 20;
const BLOCK = 65_536;

let folder: string;
let socket: string;
let disks: { metadata: MemoryDevice; data: MemoryDevice; registry: MemoryDevice };
let faulty: { metadata: FaultDevice; data: FaultDevice; registry: FaultDevice };
let pool: Pool;
let server: PoolServer;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pdata-faulty-'));
  socket = join(folder, 's');
});

afterEach(async () => {
  await server.close({ graceMs: 0, drainMs: 50 });
  await pool.close().catch(() => undefined);
  rmSync(folder, { recursive: true });
});

/** Serves a pool of 1 MiB with the volumes `a` and `b`, of 8 MiB each, and a snapshot of `a`; `a` begins with ones, flushed. */
async function serve(options: PoolOptions = {}): Promise<void> {
  disks = {
    metadata: new MemoryDevice({ nrBlocks: 256 }),
    data: new MemoryDevice({ nrBlocks: MIB / 4096 }),
    registry: new MemoryDevice({ nrBlocks: 0 }),
  };
  faulty = {
    metadata: new FaultDevice(disks.metadata),
    data: new FaultDevice(disks.data),
    registry: new FaultDevice(disks.registry),
  };
  const devices = { ...faulty, data: new BlockData(faulty.data, { holes: 'zero' }) };
  pool = Pool.create(devices, { commitPeriodMs: 0, ...options });
  await pool.createVolume('a', { sizeBytes: 8 * MIB });
  await pool.createVolume('b', { sizeBytes: 8 * MIB });
  const volume = pool.volume('a');
  await volume.write(0, new Uint8Array(2 * BLOCK).fill(1));
  await volume.flush();
  volume.close();
  await pool.createSnapshot('a', 's');
  server = new PoolServer(pool);
  await server.listenUnix(socket);
}

const client = (name: string): Promise<NbdClient> => NbdClient.connect({ socket, name });
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

/** Opens what is on the disks, as after the end of the process: both structures are sound, and the flushed bytes are there. */
async function expectKept(name = 'a'): Promise<void> {
  expect([...checkThin(disks.metadata)]).toEqual([]);
  const again = Pool.open({ ...disks, data: new BlockData(disks.data) }, { commitPeriodMs: 0 });
  const bytes = new Uint8Array(2 * BLOCK);
  await again.volume(name, { readOnly: true }).read(0, bytes);
  expect(bytes.every((byte) => byte === 1)).toBe(true);
  await again.close();
}

test('a full pool: ENOSPC for what needs room, and nothing else; discards make room', async () => {
  await serve({ errorIfNoSpace: true });
  const [one, other] = [await client('a'), await client('b')];
  const written = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) => other.write(i * BLOCK, filled(BLOCK, 2))),
  );
  const failed = written.filter((each) => each.status === 'rejected');
  expect(failed.length).toBeGreaterThan(0);
  for (const { reason } of failed) expect(reason).toMatchObject({ errno: 'ENOSPC' });
  await expect(one.write(0, filled(512, 9))).rejects.toMatchObject({ errno: 'ENOSPC' });
  expect((await one.read(0, 1))[0]).toBe(1);
  await other.write(100, filled(1000, 3), { fua: true });
  await other.trim(BLOCK, 4 * BLOCK);
  await other.flush();
  await one.write(0, filled(512, 9), { fua: true });
  expect([...(await one.read(511, 2))]).toEqual([9, 1]);
  await Promise.all([one.close(), other.close()]);
  await server.close();
  await pool.close();
  await expectKept('s');
});

test.each([
  ['data', 'write'],
  ['data', 'flush'],
  ['metadata', 'write'],
  ['metadata', 'flush'],
] as const)('%s that fails to %s: EIO, and no later flush claims success', async (disk, call) => {
  await serve();
  const [one, other] = [await client('a'), await client('b')];
  await one.write(4 * BLOCK, filled(BLOCK, 5), { fua: true });
  const { write, flush } = faulty[disk].calls;
  faulty[disk].inject({ kind: 'error', call, at: { write, flush }[call], forever: true });
  await expect(one.write(6 * BLOCK, filled(BLOCK, 6), { fua: true })).rejects.toMatchObject({ errno: 'EIO' });
  // A disk that is well again does not bring back what it has lost.
  faulty[disk].heal();
  const isWriteOnly = disk === 'data' && call === 'write';
  if (isWriteOnly) await one.write(6 * BLOCK, filled(BLOCK, 6), { fua: true });
  else {
    await expect(other.flush()).rejects.toMatchObject({ errno: 'EIO' });
    await expect(other.write(0, filled(512, 7))).rejects.toMatchObject({ errno: 'EIO' });
  }
  if (disk === 'data') {
    for (const each of [one, await client('s')]) expect(await each.read(0, 2 * BLOCK)).toEqual(filled(2 * BLOCK, 1));
    expect((await one.read(4 * BLOCK, 1))[0]).toBe(5);
    // What is mapped where is not to be believed any more.
  } else await expect(one.read(0, 512)).rejects.toMatchObject({ errno: 'EIO' });
  await Promise.all([one.close(), other.close()]);
  await server.close();
  await pool.close().catch(() => undefined);
  await expectKept();
});

test('a registry that fails: no new names, and volumes go on', async () => {
  await serve();
  const one = await client('a');
  faulty.registry.inject({ kind: 'error', call: 'flush', at: faulty.registry.calls.flush, forever: true });
  await expect(server.methods.call('snapshot', { origin: 'a', name: 't' })).rejects.toThrow();
  await one.write(4 * BLOCK, filled(BLOCK, 5), { fua: true });
  faulty.registry.heal();
  await expect(server.methods.call('snapshot', { origin: 'a', name: 't' })).rejects.toThrow();
  expect((await one.read(4 * BLOCK, 1))[0]).toBe(5);
  expect((await NbdClient.list({ socket })).map(({ name }) => name)).toEqual(['a', 'b', 's']);
  await one.close();
  await server.close();
  await pool.close().catch(() => undefined);
  await expectKept();
});

test('what can not be written is told, and changes nothing', async () => {
  await serve();
  const [one, snapshot] = [await client('a'), await client('s')];
  await expect(snapshot.write(0, filled(512, 2))).rejects.toThrow();
  await expect(snapshot.trim(0, BLOCK)).rejects.toThrow();
  await expect(one.write(8 * MIB - 256, filled(512, 2))).rejects.toThrow();
  await expect(one.read(8 * MIB, 1)).rejects.toThrow();
  // As a client would that does not look first.
  const greet = (name: string) => bytesOf([3, 4], nbdOption(7, nbdInfoData(name)));
  const errors: number[] = [];
  for (const [name, offset] of [
    ['s', 0],
    ['a', 8 * MIB - 256],
  ] as const) {
    const said = await converse(bytesOf(greet(name), nbdRequest({ type: 1, offset, payload: filled(512, 2) })));
    // The last 16 bytes are a simple reply: magic, error, cookie.
    errors.push(said.readUInt32BE(said.length - 12));
  }
  expect(errors).toEqual([1, 28]);
  expect((await snapshot.read(0, 1))[0]).toBe(1);
  await Promise.all([one.close(), snapshot.close()]);
  await server.close();
  await pool.close();
  await expectKept();
});

/** Says something and hangs up when nothing more comes; answers what was heard. */
function converse(words: Uint8Array): Promise<Buffer> {
  return new Promise((done, fail) => {
    const heard: Buffer[] = [];
    const raw = connect(socket, () => raw.write(words));
    raw.on('data', (piece) => {
      heard.push(piece);
      // Greeting, reply to GO, acknowledgement, and the answer to the request.
      const said = Buffer.concat(heard);
      if (said.length >= 16 && said.readUInt32BE(said.length - 16) === 0x67446698) raw.end();
    });
    raw.on('error', fail);
    raw.on('close', () => done(Buffer.concat(heard)));
  });
}

test('clients that vanish after every byte of a session: others go on, each block is old or new', async () => {
  await serve();
  const good = await client('a');
  const payload = filled(700, 4);
  const session = bytesOf(
    bytesOf([3, 4], nbdOption(8), nbdOption(7, nbdInfoData('a'))),
    nbdRequest({ type: 1, offset: 3 * BLOCK, payload }),
    nbdRequest({ type: 3 }),
    nbdRequest({ type: 4, offset: BLOCK + 4096, length: 4096 }),
    nbdRequest({ type: 2 }),
  );
  for (let cut = 0; cut <= session.length; cut += cut > 150 && cut < 700 ? 97 : 1) {
    await new Promise<void>((done) => {
      const raw = connect(socket, () => raw.write(session.subarray(0, cut), () => raw.destroy()));
      raw.on('error', () => undefined);
      raw.on('close', () => done());
    });
    if (cut % 16 > 0) continue;
    const found = await good.read(3 * BLOCK, payload.length);
    const [first] = found;
    expect(first === 0 || first === 4, `cut at ${cut}`).toBe(true);
    expect(
      found.every((byte) => byte === first),
      `cut at ${cut}`,
    ).toBe(true);
  }
  await good.flush();
  await expect.poll(() => server.nbd.metrics.connections.open).toBe(1);
  expect(server.nbd.metrics.inFlight).toBe(0);
  await good.close();
  await server.close();
  await pool.close();
  await expectKept();
});
