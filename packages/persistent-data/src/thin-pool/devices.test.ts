import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryDevice } from 'persistent-data/io';
import { CrashDevice, Random } from 'persistent-data/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { LockedError, ReadOnlyError, StateError } from '../base/index.ts';
import { BlockData } from './block-data.ts';
import { checkBytes, type DataDevice, writeZeros } from './data-device.ts';
import { FileData } from './file-data.ts';
import { hasPunchProgram, punchFile } from './hole-punch.ts';
import { MemoryData } from './memory-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'pdata-data-'));
afterAll(() => rmSync(folder, { recursive: true }));

let nrFiles = 0;
const SIZE = 3 * 1024 * 1024;
const KINDS: Record<string, () => DataDevice> = {
  MemoryData: () => new MemoryData({ sizeBytes: SIZE }),
  FileData: () => FileData.open(join(folder, `data${nrFiles++}`), { create: 'new', sizeBytes: SIZE }),
  BlockData: () => new BlockData(new MemoryDevice({ nrBlocks: SIZE / 4096 }), { holes: 'zero' }),
};

describe.each(Object.entries(KINDS))('%s', (_, make) => {
  test('holds any bytes at any place', () => {
    const device = make();
    const random = new Random(5);
    const wanted = new Uint8Array(SIZE);
    for (let i = 0; i < 200; i++) {
      const offset = random.below(SIZE);
      const bytes = random.bytes(Math.min(SIZE - offset, random.pick([1, 511, 4096, 10_000, 70_000])));
      if (i % 3 === 0) device.writeVectored(offset, [bytes.subarray(0, 7), bytes.subarray(7)]);
      else if (i % 3 === 1) device.write(offset, bytes);
      else writeZeros(device, offset, bytes.length);
      if (i % 3 === 2) wanted.fill(0, offset, offset + bytes.length);
      else wanted.set(bytes, offset);
      const at = random.below(SIZE - 9000);
      const found = new Uint8Array(9000);
      device.read(at, found);
      expect(Buffer.compare(found, wanted.subarray(at, at + 9000))).toBe(0);
    }
    device.flush();
    device.close();
  });

  test('whole blocks in one vectored write', () => {
    const device = make();
    const blocks = [new Uint8Array(4096).fill(1), new Uint8Array(8192).fill(2)];
    device.writeVectored(4096, blocks);
    const found = new Uint8Array(12_288);
    device.read(4096, found);
    expect([found[0], found[4095], found[4096], found[12_287]]).toEqual([1, 1, 2, 2]);
    expect(device.zeroFrom).toBeGreaterThanOrEqual(16_384);
    device.close();
  });

  test('refuses what is not inside', () => {
    const device = make();
    expect(() => device.read(SIZE - 10, new Uint8Array(11))).toThrow(RangeError);
    expect(() => device.write(SIZE, new Uint8Array(1))).toThrow(RangeError);
    device.close();
  });

  test('punched holes read as zeros', async () => {
    const device = make();
    if (!device.canPunchHoles) return;
    device.write(0, new Uint8Array(SIZE).fill(9));
    const isZeroed = await device.punchHoles([
      { offset: 65_536, length: 131_072 },
      { offset: 1_048_576, length: 65_536 },
    ]);
    const found = new Uint8Array(SIZE);
    device.read(0, found);
    const wanted = new Uint8Array(SIZE).fill(9).fill(0, 65_536, 196_608).fill(0, 1_048_576, 1_114_112);
    if (isZeroed) expect(Buffer.compare(found, wanted)).toBe(0);
    else expect(device.canPunchHoles).toBe(false);
    device.close();
  });

  test('grows with zeros', () => {
    const device = make();
    device.write(0, new Uint8Array(SIZE).fill(9));
    device.resize?.(SIZE + 65_536);
    const found = new Uint8Array(65_536).fill(1);
    device.read(SIZE, found);
    expect(found.every((byte) => byte === 0)).toBe(true);
    expect(device.sizeBytes).toBe(SIZE + 65_536);
    expect(device.zeroFrom).toBe(SIZE);
    device.close();
  });
});

describe('FileData', () => {
  test('only what it has added itself is known to be zeros', () => {
    const path = join(folder, 'reopened');
    const first = FileData.open(path, { create: true, sizeBytes: 65_536 });
    expect(first.zeroFrom).toBe(0);
    first.close();
    const second = FileData.open(path, { create: true, sizeBytes: 131_072 });
    expect(second.zeroFrom).toBe(65_536);
    second.write(100_000, new Uint8Array(10));
    expect(second.zeroFrom).toBe(100_010);
    second.close();
  });

  test('gives room back to the host', async () => {
    const path = join(folder, 'punched');
    const device = FileData.open(path, { create: true, sizeBytes: 4_194_304 });
    device.write(0, new Uint8Array(4_194_304).fill(1));
    device.flush();
    const before = statSync(path).blocks;
    if (await device.punchHoles([{ offset: 0, length: 2_097_152 }])) {
      expect(statSync(path).blocks).toBeLessThanOrEqual(before - 4096);
    }
    device.close();
  });

  test('is locked, read-only when asked, and of no use when closed', async () => {
    const path = join(folder, 'locked');
    const writer = FileData.open(path, { create: true, sizeBytes: 65_536 });
    expect(() => FileData.open(path)).toThrow(LockedError);
    await writer.flushAsync();
    writer.close();
    writer.close();
    expect(() => writer.write(0, new Uint8Array(1))).toThrow(StateError);
    const reader = FileData.open(path, { readOnly: true });
    expect(() => reader.write(0, new Uint8Array(1))).toThrow(ReadOnlyError);
    expect(reader.canPunchHoles).toBe(false);
    reader.flush();
    await reader.flushAsync();
    reader.close();
  });

  test('closes its file when what is under way has ended', async () => {
    const device = FileData.open(join(folder, 'busy'), { create: true, sizeBytes: 65_536 });
    device.write(0, new Uint8Array(65_536).fill(1));
    const waiting = [device.flushAsync(), device.punchHoles([{ offset: 0, length: 4096 }])];
    device.close();
    await Promise.all(waiting);
    await expect(device.flushAsync()).rejects.toThrow(StateError);
  });

  test('a size that is not longer is refused', () => {
    const device = FileData.open(join(folder, 'sized'), { create: true, sizeBytes: 65_536 });
    expect(() => device.resize?.(4096)).toThrow(RangeError);
    device.close();
  });
});

test('a file that can not be punched is told so', async () => {
  expect(await punchFile(9999, [{ offset: 0, length: 4096 }])).toBe(false);
  expect(typeof hasPunchProgram()).toBe('boolean');
});

test('a simulated disk is told what is not needed any more', () => {
  const disk = new CrashDevice({ nrBlocks: 64 });
  const device = new BlockData(disk);
  device.write(0, new Uint8Array(8192).fill(1));
  expect(device.canPunchHoles).toBe(true);
  expect(device.punchHoles([{ offset: 4096, length: 4096 }])).toBe(false);
  const found = new Uint8Array(4096);
  device.read(4096, found);
  expect(found[0]).not.toBe(1);
  expect(new BlockData(new MemoryDevice({ nrBlocks: 1 }), { holes: 'none' }).canPunchHoles).toBe(false);
});

test('a run of bytes is checked', () => {
  for (const [offset, length] of [
    [-1, 1],
    [0.5, 1],
    [Number.NaN, 1],
    [10, 1],
    [9, 2],
  ] as const) {
    expect(() => checkBytes('read', offset, length, 10)).toThrow(RangeError);
  }
  checkBytes('read', 10, 0, 10);
});
