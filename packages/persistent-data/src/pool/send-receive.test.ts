import { Random } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import { CorruptionError, StateError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { MemoryData } from '../thin-pool/index.ts';
import { Pool } from './pool.ts';
import { receiveVolume } from './receive.ts';
import { sendVolume } from './send.ts';
import { RECORD, RecordReader, RecordWriter } from './stream-record.ts';

const MIB = 2 ** 20;
const BLOCK = 65_536;

function newPool(blockBytes = BLOCK): Pool {
  const metadata = new MemoryDevice({ nrBlocks: 256 });
  const devices = {
    metadata,
    data: new MemoryData({ sizeBytes: 64 * MIB }),
    registry: new MemoryDevice({ nrBlocks: 0 }),
  };
  return Pool.create(devices, { blockBytes, mappingCacheSlots: 256, cacheBlocks: 512 });
}

/** A pool with a volume, a snapshot, and a later snapshot that differs from it. */
async function newSource(): Promise<Pool> {
  const pool = newPool();
  const random = new Random(7);
  await pool.createVolume('root', { sizeBytes: 8 * MIB });
  const volume = pool.volume('root');
  for (let i = 0; i < 40; i++) await volume.write(random.below(100) * BLOCK, random.bytes(random.pick([512, BLOCK])));
  await pool.createSnapshot('root', 'monday');
  for (let i = 0; i < 8; i++) await volume.write(random.below(100) * BLOCK + 512, random.bytes(1024));
  await volume.discard(10 * BLOCK, 20 * BLOCK);
  await pool.createSnapshot('root', 'tuesday');
  volume.close();
  return pool;
}

async function bytesOf(pool: Pool, name: string): Promise<Uint8Array> {
  const volume = pool.volume(name, { readOnly: true });
  const bytes = new Uint8Array(volume.sizeBytes);
  await volume.read(0, bytes);
  volume.close();
  return bytes;
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Bytes in pieces of random lengths. */
async function* inPieces(bytes: Uint8Array, seed: number): AsyncGenerator<Uint8Array> {
  const random = new Random(seed);
  for (let at = 0; at < bytes.length; ) {
    const length = random.pick([1, 7, 33, 100_000]);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

test('a whole snapshot and a difference arrive, also where blocks are larger', async () => {
  const source = await newSource();
  const full = await collect(sendVolume(source, 'monday'));
  const delta = await collect(sendVolume(source, 'tuesday', { base: 'monday' }));
  expect(delta.length).toBeLessThan(full.length);
  for (const blockBytes of [BLOCK, 4 * BLOCK]) {
    const target = newPool(blockBytes);
    await receiveVolume(target, 'first', inPieces(full, 1));
    const { dataBytes } = await receiveVolume(target, 'second', inPieces(delta, 2), { writable: true });
    expect(dataBytes).toBeGreaterThan(0);
    expect(Buffer.compare(await bytesOf(target, 'first'), await bytesOf(source, 'monday'))).toBe(0);
    expect(Buffer.compare(await bytesOf(target, 'second'), await bytesOf(source, 'tuesday'))).toBe(0);
    expect(target.volumes()).toMatchObject([
      { name: 'first', readOnly: true, receivedUuid: source.record('monday').uuid },
      { name: 'second', readOnly: false, receivedUuid: '', origin: 'first' },
    ]);
    await target.close();
  }
  await source.close();
});

test('a stream that breaks off goes on, from its beginning or from where it stopped', async () => {
  const source = await newSource();
  const full = await collect(sendVolume(source, 'monday'));
  const target = newPool();
  const cut = full.subarray(0, Math.floor(full.length / 2));
  await expect(receiveVolume(target, 'copy', inPieces(cut, 1))).rejects.toThrow('send it again to go on');
  const { receivedTo } = target.record('copy');
  expect(receivedTo).toBeGreaterThan(0);
  expect(() => target.volume('copy')).toThrow('it has not been received whole');
  await expect(receiveVolume(target, 'copy', sendVolume(source, 'tuesday'))).rejects.toThrow(
    'another stream to this name',
  );
  await expect(
    receiveVolume(target, 'copy', sendVolume(source, 'monday', { from: receivedTo! + BLOCK })),
  ).rejects.toThrow(StateError);
  const rest = await collect(sendVolume(source, 'monday', { from: receivedTo! }));
  expect(rest.length).toBeLessThan(full.length);
  const outcome = await receiveVolume(target, 'copy', inPieces(rest, 2));
  expect(outcome.resumedAt).toBe(receivedTo);
  expect(Buffer.compare(await bytesOf(target, 'copy'), await bytesOf(source, 'monday'))).toBe(0);

  await expect(receiveVolume(target, 'again', inPieces(cut, 3))).rejects.toThrow(StateError);
  await receiveVolume(target, 'again', inPieces(full, 4));
  expect(Buffer.compare(await bytesOf(target, 'again'), await bytesOf(source, 'monday'))).toBe(0);
  await Promise.all([source.close(), target.close()]);
});

test('a wrong base, a base that has changed, and a writable source are refused', async () => {
  const source = await newSource();
  const target = newPool();
  const delta = await collect(sendVolume(source, 'tuesday', { base: 'monday' }));
  await expect(receiveVolume(target, 'x', inPieces(delta, 1))).rejects.toThrow('which this pool has not');
  await receiveVolume(target, 'monday', sendVolume(source, 'monday'));
  await target.protect('monday', false);
  await target.protect('monday', true);
  await expect(receiveVolume(target, 'x', inPieces(delta, 1))).rejects.toThrow('or not unchanged');
  expect(target.has('x')).toBe(false);
  await expect(collect(sendVolume(source, 'root'))).rejects.toThrow('it is writable');
  await Promise.all([source.close(), target.close()]);
});

test('every damaged byte is noticed, and nothing of it is taken for whole', async () => {
  const source = newPool();
  await source.createVolume('a', { sizeBytes: BLOCK });
  const volume = source.volume('a');
  await volume.write(0, new Random(1).bytes(512));
  volume.close();
  await source.protect('a', true);
  const stream = await collect(sendVolume(source, 'a'));
  const target = newPool();
  for (let i = 0; i < stream.length; i += stream.length > 4000 && i > 300 && i < stream.length - 100 ? 997 : 1) {
    const damaged = stream.slice();
    damaged[i]! ^= 0x40;
    await expect(receiveVolume(target, 'copy', inPieces(damaged, i)), `byte ${i}`).rejects.toThrow();
    if (target.has('copy')) {
      expect(target.record('copy').receivedTo).toBeDefined();
      await target.deleteVolume('copy');
    }
  }
  await Promise.all([source.close(), target.close()]);
}, 60_000);

test('records that are missing or too many are noticed', () => {
  const writer = new RecordWriter();
  const head = { version: 1, name: 'a', uuid: 'u', sizeBytes: 1024, from: 0, resumable: true } as const;
  const pieces = [writer.begin(head), writer.data(0, new Uint8Array(512)), writer.hole(512, 512), writer.end(1024)];
  const types = (list: readonly Uint8Array[]): number[] => {
    const reader = new RecordReader();
    return list.flatMap((piece) => [...reader.take(piece)].map(({ type }) => type));
  };
  expect(types(pieces)).toEqual([RECORD.begin, RECORD.data, RECORD.hole, RECORD.end]);
  expect(() => types([pieces[0]!, pieces[2]!])).toThrow(CorruptionError);
  expect(() => types([pieces[0]!, pieces[1]!, pieces[1]!])).toThrow('stands in its place');
  expect(() => types([pieces[1]!])).toThrow('this is none');
});
