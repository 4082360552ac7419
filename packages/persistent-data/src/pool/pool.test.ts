import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { LockedError, ReadOnlyError, StateError } from '../base/index.ts';
import { FileDevice, MemoryDevice } from '../io/index.ts';
import { MemoryData } from '../thin-pool/index.ts';
import { Pool } from './pool.ts';
import { kindOfFolder, makePoolFolder } from './pool-folder.ts';
import { Registry } from './registry.ts';

const scratch = mkdtempSync(join(tmpdir(), 'pdata-pool-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const MIB = 2 ** 20;
let nrFolders = 0;
const newFolder = (): string => join(scratch, `pool${nrFolders++}`);
const newDevices = () => ({
  metadata: new MemoryDevice({ nrBlocks: 256 }),
  data: new MemoryData({ sizeBytes: 64 * MIB }),
  registry: new MemoryDevice({ nrBlocks: 0 }),
});
const newPool = () => Pool.create(newFolder(), { sizeBytes: 64 * MIB });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function textAt(pool: Pool, name: string, length: number): Promise<string> {
  const into = new Uint8Array(length);
  const volume = pool.volume(name, { readOnly: true });
  await volume.read(0, into);
  volume.close();
  return new TextDecoder().decode(into);
}

async function writeText(pool: Pool, name: string, text: string): Promise<void> {
  const volume = pool.volume(name);
  await volume.write(0, bytes(text));
  await volume.flush();
  volume.close();
}

test('volumes and snapshots live in a folder', async () => {
  const folder = newFolder();
  const pool = Pool.create(folder, { sizeBytes: 64 * MIB });
  await pool.createVolume('root', { sizeBytes: 8 * MIB });
  await writeText(pool, 'root', 'one');
  await pool.createSnapshot('root', 'monday');
  await writeText(pool, 'root', 'two');
  await pool.createSnapshot('monday', 'lab', { writable: true });
  await writeText(pool, 'lab', 'lab');
  await pool.close();
  expect(readdirSync(folder).sort()).toEqual(['data', 'metadata', 'registry', 'run']);

  const again = Pool.open(folder);
  expect(await Promise.all(['root', 'monday', 'lab'].map((name) => textAt(again, name, 3)))).toEqual([
    'two',
    'one',
    'lab',
  ]);
  expect(again.volumes()).toMatchObject([
    { name: 'root', id: 0, sizeBytes: 8 * MIB, readOnly: false, origin: undefined, mappedBytes: 65_536 },
    { name: 'monday', id: 1, readOnly: true, origin: 'root' },
    { name: 'lab', id: 2, readOnly: false, origin: 'monday' },
  ]);
  expect(again.status()).toMatchObject({ mode: 'write', dataBytes: 64 * MIB, usedDataBytes: 3 * 65_536, nrVolumes: 3 });
  await again.close();
});

test('rollback, merge, delete, rename, resize and growth', async () => {
  const pool = newPool();
  await pool.createVolume('a', { sizeBytes: MIB });
  await writeText(pool, 'a', 'one');
  await pool.createSnapshot('a', 's1');
  await writeText(pool, 'a', 'two');
  await pool.rollback('a', 's1');
  expect(await textAt(pool, 'a', 3)).toBe('one');
  await pool.createSnapshot('s1', 'c', { writable: true });
  await writeText(pool, 'c', 'six');
  await pool.merge('c', 'a');
  expect(await textAt(pool, 'a', 3)).toBe('six');
  expect(pool.has('c')).toBe(false);
  await pool.renameVolume('a', 'b');
  await pool.resizeVolume('b', 2 * MIB);
  expect(pool.record('b').sizeBytes).toBe(2 * MIB);
  await pool.resizeVolume('b', 512);
  await pool.resizeVolume('b', MIB);
  expect(await textAt(pool, 'b', 4)).toBe('six\0');
  await pool.deleteVolume('s1');
  await pool.grow(128 * MIB);
  expect(pool.status()).toMatchObject({ dataBytes: 128 * MIB, nrVolumes: 1 });
  await expect(pool.grow(64 * MIB)).rejects.toThrow(RangeError);
  await pool.close();
});

test('changes that are asked for at once are made one after the other', async () => {
  const pool = newPool();
  await Promise.all(Array.from({ length: 20 }, (_, i) => pool.createVolume(`v${i}`, { sizeBytes: MIB })));
  expect(pool.volumes().map(({ name, id }) => `${name} ${id}`)).toEqual(
    Array.from({ length: 20 }, (_, i) => `v${i} ${i}`),
  );
  expect(pool.status().transactionId).toBe(20);
  const twice = await Promise.allSettled([1, 2].map(() => pool.createVolume('same', { sizeBytes: MIB })));
  expect(twice.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  await pool.close();
});

test('what is in use is not taken away, and what is read-only not written', async () => {
  const pool = newPool();
  await pool.createVolume('a', { sizeBytes: MIB });
  await pool.createSnapshot('a', 's');
  const handle = pool.volume('a');
  await expect(pool.deleteVolume('a')).rejects.toThrow('it is in use by 1');
  await expect(pool.rollback('a', 's')).rejects.toThrow(StateError);
  await expect(pool.protect('a', true)).rejects.toThrow('1 can write to it');
  handle.close();
  expect(() => handle.write(0, bytes('x'))).toThrow('this handle was closed');
  const snapshot = pool.volume('s');
  expect(() => snapshot.write(0, bytes('x'))).toThrow(ReadOnlyError);
  expect(() => snapshot.discard(0, MIB)).toThrow(ReadOnlyError);
  const { uuid } = pool.record('s');
  snapshot.close();
  await pool.protect('s', false);
  expect(pool.record('s').uuid).not.toBe(uuid);
  await writeText(pool, 's', 'now');
  await expect(pool.createVolume('a b', { sizeBytes: MIB })).rejects.toThrow('as the name of a volume');
  await expect(pool.createVolume('s', { sizeBytes: MIB })).rejects.toThrow('a volume has it');
  await expect(pool.createVolume('t', { sizeBytes: 100 })).rejects.toThrow('a multiple of 512');
  expect(() => pool.volume('none')).toThrow('the pool has none of this name');
  await pool.close();
});

test('a second opener is told who has it', async () => {
  const folder = newFolder();
  const pool = Pool.create(folder, { sizeBytes: 64 * MIB });
  let error: unknown;
  try {
    Pool.open(folder);
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(LockedError);
  expect((error as LockedError).message).toMatch(`Cannot open pool ${folder}: process ${process.pid} on `);
  expect((error as LockedError).holder?.pid).toBe(process.pid);
  await pool.close();
  const reader = Pool.open(folder, { readOnly: true });
  const second = Pool.open(folder, { readOnly: true });
  await expect(reader.createVolume('a', { sizeBytes: MIB })).rejects.toThrow(ReadOnlyError);
  await Promise.all([reader.close(), second.close()]);
});

test('folders that hold no pool are told apart', async () => {
  const folder = newFolder();
  expect(() => Pool.open(folder)).toThrow('there is no such folder');
  mkdirSync(folder);
  expect(() => Pool.open(folder)).toThrow('the folder is empty');
  writeFileSync(join(folder, 'photo.jpg'), '');
  expect(() => Pool.open(folder)).toThrow('this is no pool');
  expect(() => Pool.create(folder)).toThrow('the folder holds something else');
  const broken = newFolder();
  const sizes = { metadataBlocks: 64, dataBytes: MIB };
  expect(() =>
    makePoolFolder(broken, sizes, () => {
      throw new Error('power failed');
    }),
  ).toThrow('power failed');
  expect(kindOfFolder(broken)).toBe('unfinished');
  expect(() => Pool.open(broken)).toThrow('its making was broken off');
  const pool = Pool.create(broken, { sizeBytes: 64 * MIB });
  expect(() => Pool.create(broken)).toThrow('there is one already');
  await pool.close();
  expect(existsSync(join(broken, 'registry.lock'))).toBe(false);
});

test('names and volumes that something else has changed are refused, or made to match', async () => {
  const devices = newDevices();
  const pool = Pool.create(devices);
  await pool.createVolume('a', { sizeBytes: MIB });
  await pool.createVolume('b', { sizeBytes: MIB });
  const other = pool.thinPool;
  await other.deleteThin(0);
  await other.createThin(9);
  await pool.close();
  devices.data.reopen();
  expect(() => Pool.open(devices)).toThrow('"a" (device 0) has no volume, device 9 has no name');
  const repaired = Pool.open(devices, { reconcile: true });
  expect(repaired.volumes().map(({ name }) => name)).toEqual(['b', 'thin-9']);
  await repaired.thinPool.setTransactionId({ expected: 2, next: 77 });
  await repaired.close();
  expect(() => Pool.open(devices)).toThrow("the pool's transaction id is 77, 2 is wanted");
  const again = Pool.open(devices, { reconcile: true });
  await again.createVolume('c', { sizeBytes: MIB });
  expect(again.status().transactionId).toBe(78);
  await again.close();
});

test('metadata grows by itself', async () => {
  const devices = newDevices();
  const metadata = new MemoryDevice({ nrBlocks: 32 });
  const pool = Pool.create({ ...devices, metadata });
  for (let i = 0; i < 40; i++) {
    await pool.createVolume(`v${i}`, { sizeBytes: MIB });
    await writeText(pool, `v${i}`, 'x');
  }
  expect(pool.status().metadataBytes).toBeGreaterThan(32 * 4096);
  await pool.close();
});

test('a registry of another format is refused', () => {
  const device = new MemoryDevice({ nrBlocks: 0 });
  Registry.format(device, { uuid: 'x', blockBytes: 65_536 }).close();
  expect(() => Registry.format(device, { uuid: 'x', blockBytes: 65_536 })).toThrow('there is one already');
  const path = join(scratch, 'registry');
  const file = FileDevice.open(path, { create: true });
  expect(() => Registry.open(file)).toThrow(StateError);
  file.close();
});
