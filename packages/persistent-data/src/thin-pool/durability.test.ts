import { MemoryDevice } from 'persistent-data/io';
import { CrashDevice, FaultDevice } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import { ReadOnlyError } from '../base/index.ts';
import { checkThin } from '../thin/index.ts';
import { BlockData } from './block-data.ts';
import { CommitGroup } from './commit-group.ts';
import type { ByteRange } from './data-device.ts';
import { MemoryData } from './memory-data.ts';
import { ThinPool } from './pool.ts';
import type { PoolEvent } from './pool-mode.ts';
import { Reclaim } from './reclaim.ts';

const BLOCK = 65_536;

/** Data whose flushes are counted and can be held. */
class CountingData extends MemoryData {
  nrFlushes = 0;
  punched: ByteRange[] = [];
  hold: Promise<unknown> | undefined;
  punchHold: Promise<unknown> | undefined;

  override flush(): void {
    this.nrFlushes++;
  }

  async flushAsync(): Promise<void> {
    this.nrFlushes++;
    await this.hold;
  }

  override punchHoles(ranges: readonly ByteRange[]): boolean {
    this.punched.push(...ranges);
    const zeroed = super.punchHoles(ranges);
    return (this.punchHold?.then(() => zeroed) as never) ?? zeroed;
  }
}

function makePool(sizeBlocks = 64) {
  const metadata = new CrashDevice({ nrBlocks: 256 });
  const data = new CountingData({ sizeBytes: sizeBlocks * BLOCK });
  return { metadata, data, pool: ThinPool.create({ metadata, data, commitPeriodMs: 0 }) };
}

test('who waits at one moment shares one flush and one commit', async () => {
  const { pool, data, metadata } = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 20 * BLOCK });
  const [flushes, commits] = [data.nrFlushes, metadata.nrFlushCalls];
  const waiting: Promise<void>[] = [];
  for (let i = 0; i < 16; i++) {
    await volume.write(i * BLOCK, Uint8Array.of(1));
    waiting.push(volume.flush());
  }
  await Promise.all(waiting);
  expect(data.nrFlushes - flushes).toBeLessThanOrEqual(2);
  expect(metadata.nrFlushCalls - commits).toBeLessThanOrEqual(4);
  await pool.close();
});

test('a flush of a volume whose mappings have not changed flushes the data alone', async () => {
  const { pool, data, metadata } = makePool();
  await pool.createThin(0);
  await pool.createThin(1);
  const [volume, other] = [pool.thin(0, { sizeBytes: BLOCK }), pool.thin(1, { sizeBytes: BLOCK })];
  await volume.write(0, Uint8Array.of(1));
  await volume.flush();
  const [flushes, commits] = [data.nrFlushes, metadata.nrFlushCalls];
  await volume.write(0, Uint8Array.of(2));
  await other.write(0, Uint8Array.of(1));
  await volume.flush();
  expect(data.nrFlushes).toBe(flushes + 1);
  expect(metadata.nrFlushCalls).toBe(commits);
  await other.flush();
  expect(metadata.nrFlushCalls).toBe(commits + 2);
  await pool.close();
});

test('volumes are written while a commit is on its way', async () => {
  const { pool, data } = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 20 * BLOCK });
  await volume.write(0, Uint8Array.of(1));
  let release: (() => void) | undefined;
  data.hold = new Promise<void>((resolve) => {
    release = resolve;
  });
  const flushed = volume.flush();
  for (let turn = 0; turn < 10; turn++) await undefined;
  expect(volume.write(BLOCK, Uint8Array.of(2))).toBeUndefined();
  expect(volume.discard(0, BLOCK)).toBeUndefined();
  release?.();
  await flushed;
  const found = new Uint8Array(1);
  await volume.read(BLOCK, found);
  expect(found[0]).toBe(2);
  await pool.close();
});

test('changes get their turn, however many flush without a pause', async () => {
  const { pool } = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 20 * BLOCK });
  let isOver = false;
  const flusher = async (offset: number) => {
    while (!isOver) {
      await volume.write(offset, Uint8Array.of(1));
      await volume.flush();
    }
  };
  const flushing = Array.from({ length: 8 }, (_, i) => flusher(i * BLOCK));
  await pool.createSnapshot({ snapshot: 1, origin: 0 });
  await pool.change((changes) => changes.setTransactionId({ expected: 0, next: 1 }));
  await pool.rollbackThin({ thin: 0, snapshot: 1 });
  await pool.reserveMetadataSnapshot();
  isOver = true;
  await Promise.all(flushing);
  await pool.close();
});

test('freed blocks are given back to the host after the commit, and to nobody else before that', async () => {
  const { pool, data } = makePool(4);
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 8 * BLOCK });
  await volume.write(0, new Uint8Array(4 * BLOCK).fill(1));
  await volume.flush();
  let release: (() => void) | undefined;
  data.punchHold = new Promise<void>((resolve) => {
    release = resolve;
  });
  await volume.discard(0, 2 * BLOCK);
  expect(data.punched).toEqual([]);
  await volume.flush();
  expect(data.punched).toEqual([{ offset: 0, length: 2 * BLOCK }]);
  // The holes are being punched: a write to one of these blocks has to wait.
  const waiting = volume.write(5 * BLOCK, Uint8Array.of(2));
  expect(waiting).toBeInstanceOf(Promise);
  expect(pool.info.mode).toBe('write');
  data.punchHold = undefined;
  release?.();
  await waiting;
  await pool.close();
  expect(data.usedBytes).toBe(3 * BLOCK);
});

test('deleting a volume gives its room back', async () => {
  const { pool, data } = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 8 * BLOCK });
  await volume.write(0, new Uint8Array(4 * BLOCK).fill(1));
  volume.close();
  await pool.deleteThin(0);
  expect(data.usedBytes).toBe(4 * BLOCK);
  await pool.flush();
  // Allocated and freed without a commit between: nobody knows of these blocks, they are used again later.
  await pool.createThin(1);
  const second = pool.thin(1, { sizeBytes: 8 * BLOCK });
  await second.write(0, new Uint8Array(4 * BLOCK).fill(1));
  await second.flush();
  second.close();
  await pool.deleteThin(1);
  expect(data.usedBytes).toBe(4 * BLOCK);
  await pool.close();
});

test('a failed flush of the data ends all writing; what was flushed before is there', async () => {
  const events: PoolEvent[] = [];
  const metadata = new MemoryDevice({ nrBlocks: 256 });
  const disk = new MemoryDevice({ nrBlocks: 1024 });
  const faulty = new FaultDevice(disk, { faults: [{ kind: 'error', call: 'flush', at: 3, forever: true }] });
  const onEvent = (event: PoolEvent) => events.push(event);
  const pool = ThinPool.create({ metadata, data: new BlockData(faulty), commitPeriodMs: 0, onEvent });
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 8 * BLOCK });
  await volume.write(0, Uint8Array.of(1));
  // Flushes 0 and 1 were of the format, 2 of the new volume.
  await expect(volume.flush()).rejects.toThrow('flush');
  expect(events.map((event) => (event.event === 'mode' ? event.mode : event.event))).toEqual(['read_only']);
  expect(() => volume.write(0, Uint8Array.of(2))).toThrow(ReadOnlyError);
  await expect(volume.flush()).rejects.toThrow(ReadOnlyError);
  await expect(pool.createThin(1)).rejects.toThrow(ReadOnlyError);
  const found = Uint8Array.of(9);
  await volume.read(0, found);
  expect(found[0]).toBe(0);
  expect(await pool.status({ noflush: true })).toMatch(/ ro .* needs_check /);
  await pool.close();
  expect([...checkThin(metadata)].filter(({ message }) => !message.includes('needs_check'))).toEqual([]);
});

test('a metadata device that fails ends everything', async () => {
  const disk = new MemoryDevice({ nrBlocks: 256 });
  const faulty = new FaultDevice(disk, { faults: [{ kind: 'error', call: 'write', at: 9, forever: true }] });
  const pool = ThinPool.create({
    metadata: faulty,
    data: new MemoryData({ sizeBytes: 64 * BLOCK }),
    commitPeriodMs: 0,
  });
  let failure: unknown;
  for (let id = 0; failure === undefined; id++) {
    await pool.createThin(id).catch((error: unknown) => {
      failure = error;
    });
  }
  expect(pool.info.mode).toBe('fail');
  expect(() => pool.thin(0, { sizeBytes: BLOCK })).toThrow(ReadOnlyError);
  expect(await pool.status()).toBe('Fail');
  await pool.close();
  expect([...checkThin(disk)]).toEqual([]);
});

test('changes are committed by and by, without being asked', async () => {
  const metadata = new CrashDevice({ nrBlocks: 256 });
  const data = new MemoryData({ sizeBytes: 64 * BLOCK });
  const pool = ThinPool.create({ metadata, data, commitPeriodMs: 1 });
  await pool.createThin(0);
  const commits = metadata.nrFlushCalls;
  await pool.thin(0, { sizeBytes: BLOCK }).write(0, Uint8Array.of(1));
  while (metadata.nrFlushCalls < commits + 2) await new Promise((resolve) => setTimeout(resolve, 1));
  await pool.close();
});

test('what is not there needs no commit', () => {
  const { pool } = makePool();
  const { metadata } = pool;
  const data = new MemoryData({ sizeBytes: BLOCK });
  const nothing = () => undefined;
  const owner = {
    metadata,
    data,
    beforeCommit: nothing,
    afterCommit: nothing,
    failed: (e: unknown) => e,
    refuseFlush: nothing,
  };
  expect(new CommitGroup(owner).now()).toBe(true);
  const reclaim = new Reclaim({ metadata, data, blockBytes: BLOCK, zeros: undefined as never, onReleased: nothing });
  reclaim.afterCommit();
  reclaim.drop();
  expect(reclaim.isUnderWay).toBe(false);
});
