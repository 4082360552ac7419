/** Our client against NBD servers of others. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProtocolError, UnsupportedError } from 'persistent-data/base';
import { NbdClient, type NbdClientOptions } from 'persistent-data/nbd';
import { Random } from 'persistent-data/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { peer } from '../peers.ts';
import { run, start } from './nbd-programs.ts';

const SIZE = 8 << 20;
const nbdkit = peer('nbdkit');
const qemuNbd = peer('qemu-nbd');
const qemuImg = peer('qemu-img');

let folder: string;
let end: Awaited<ReturnType<typeof start>> | undefined;
const path = (name: string) => join(folder, name);
const uri = (name = '') => `nbd+unix:///${name}?socket=${path('s.sock')}`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pdata-nbd-'));
});
afterEach(async () => {
  await end?.();
  end = undefined;
  rmSync(folder, { recursive: true });
});

async function serveByNbdkit(...args: string[]): Promise<void> {
  end = await start(nbdkit!, ['-f', '-U', path('s.sock'), ...args], path('s.sock'));
}

/** Random writes, zeroes and trims, 64 at once where they do not overlap; then everything is read and compared. */
async function play(client: NbdClient, seed: number): Promise<void> {
  const random = new Random(seed);
  const model = new Uint8Array(client.size);
  const slot = client.size / 64;
  for (let round = 0; round < 6; round += 1) {
    const all = Array.from({ length: 64 }, async (_, i) => {
      const offset = i * slot + random.below(slot / 2);
      const length = 1 + random.below(slot / 2);
      const value = random.below(256);
      const isZero = random.chance(0.3) && client.canWriteZeroes;
      model.fill(isZero ? 0 : value, offset, offset + length);
      if (isZero) await client.writeZeroes(offset, length);
      else await client.write(offset, new Uint8Array(length).fill(value), { fua: random.chance(0.1) });
    });
    await Promise.all(all);
    if (client.canFlush) await client.flush();
    expect(Buffer.compare(await client.read(0, client.size), model)).toBe(0);
  }
}

const forms: NbdClientOptions[] = [{ structured: false, extended: false }, {}];

describe.skipIf(!nbdkit)('nbdkit', () => {
  test.each(forms)('memory: %j', { timeout: 60_000 }, async (options) => {
    await serveByNbdkit('memory', String(SIZE));
    const client = await NbdClient.connect(uri(), options);
    await play(client, 1);
    await client.writeZeroes(0, SIZE);
    if (client.contexts.length > 0) {
      const extents = await client.blockStatus('base:allocation', 0, SIZE);
      expect(extents).toEqual([{ length: SIZE, flags: 3 }]);
    }
    await client.close();
  });

  test('without structured replies, and with an old handshake', async () => {
    await serveByNbdkit('--no-sr', '--mask-handshake=1', 'memory', String(SIZE));
    const client = await NbdClient.connect(uri());
    expect([client.form.structured, client.contexts]).toEqual([false, []]);
    await play(client, 2);
    await client.close();
  });

  test('oldstyle is refused', async () => {
    await serveByNbdkit('--oldstyle', 'memory', String(SIZE));
    await expect(NbdClient.connect(uri())).rejects.toThrow(ProtocolError);
  });

  test('delays: many wait at once', async () => {
    await serveByNbdkit('--filter=delay', 'memory', String(SIZE), 'rdelay=20ms', 'wdelay=20ms');
    const client = await NbdClient.connect(uri());
    const numbers = Array.from({ length: 64 }, (_, i) => i);
    await Promise.all(numbers.map((i) => client.write(i * 1000, new Uint8Array(1000).fill(i))));
    const read = await Promise.all(numbers.map((i) => client.read(i * 1000, 1000)));
    for (const i of numbers) expect(read[i]!.every((byte) => byte === i)).toBe(true);
    await client.close();
  });

  test('errors: every one of them surfaces', async () => {
    await serveByNbdkit(
      '--filter=error',
      'memory',
      String(SIZE),
      'error-pread=EIO',
      'error-pread-rate=100%',
      `error-pread-file=${path('now')}`,
    );
    const client = await NbdClient.connect(uri());
    await client.read(0, 100_000);
    writeFileSync(path('now'), '');
    const all = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => client.read(i * 5000, 5000)));
    expect(all.every((one) => one.status === 'rejected' && one.reason.errno === 'EIO')).toBe(true);
    rmSync(path('now'));
    await client.read(0, 10);
    await client.close();
  });

  test('a full disk, holes in a sparse one, and a server that is killed', async () => {
    await serveByNbdkit('full', '1M');
    const full = await NbdClient.connect(uri());
    await expect(full.write(0, new Uint8Array(512))).rejects.toMatchObject({ errno: 'ENOSPC' });
    await full.close();
    await end!();
    await serveByNbdkit('sparse-random', '64M', 'seed=1');
    const sparse = await NbdClient.connect(uri());
    const extents = await sparse.blockStatus('base:allocation', 0, sparse.size);
    expect(extents.some(({ flags }) => flags === 3)).toBe(true);
    const all = await sparse.read(0, sparse.size);
    let at = 0;
    for (const { length, flags } of extents) {
      if (flags === 3) expect(all.subarray(at, at + length).every((byte) => byte === 0)).toBe(true);
      at += length;
    }
    await end!('SIGKILL');
    end = undefined;
    await expect(sparse.read(0, 1)).rejects.toMatchObject({ code: 'PDATA_IO' });
  });

  test('TLS by keys; without TLS there is none', async () => {
    writeFileSync(path('keys'), 'alice:00112233445566778899aabbccddeeff\n');
    await serveByNbdkit('--tls=require', `--tls-psk=${path('keys')}`, 'memory', String(SIZE));
    const client = await NbdClient.connect(
      `nbds+unix://alice@x/?socket=${path('s.sock')}&tls-psk-file=${path('keys')}`,
    );
    await play(client, 3);
    await client.close();
    await expect(NbdClient.connect(uri())).rejects.toThrow(UnsupportedError);
  });
});

test.skipIf(!(qemuNbd && qemuImg))(
  'qemu-nbd with qcow2, before and after it is reopened',
  { timeout: 60_000 },
  async () => {
    const image = path('a.qcow2');
    expect((await run(qemuImg!, ['create', '-f', 'qcow2', image, String(SIZE)])).status).toBe(0);
    const args = ['-t', '-k', path('s.sock'), '-f', 'qcow2', '-x', 'disk', image];
    end = await start(qemuNbd!, args, path('s.sock'));
    const client = await NbdClient.connect(uri('disk'), { contexts: ['base:allocation', 'qemu:allocation-depth'] });
    expect(await client.blockStatus('base:allocation', 0, SIZE)).toEqual([{ length: SIZE, flags: 3 }]);
    await client.write(100_000, new Uint8Array(10).fill(9));
    expect((await client.blockStatus('base:allocation', 65_536, 65_536, { one: true }))[0]!.flags).toBe(0);
    await client.writeZeroes(0, SIZE);
    await play(client, 4);
    await client.write(123_456, new Uint8Array(1000).fill(7), { fua: true });
    const wanted = await client.read(0, SIZE);
    await client.close();
    await end();
    end = await start(qemuNbd!, args, path('s.sock'));
    expect((await NbdClient.list(uri())).map(({ name }) => name)).toEqual(['disk']);
    const again = await NbdClient.connect(uri('disk'));
    expect(Buffer.compare(await again.read(0, SIZE), wanted)).toBe(0);
    await again.close();
  },
);
