import { describe, expect, test } from 'vitest';
import { Slab, UnsupportedError } from '../base/index.ts';
import {
  clearSpaceMapRoots,
  isDataBlockSize,
  needsCheck,
  readThinSuperblock,
  refuseUnsupported,
  type ThinSuperblock,
  writeCommittedFields,
  writeFixedFields,
} from './superblock.ts';

const root = { nrBlocks: 100, nrAllocated: 6, bitmapRoot: 8, refCountRoot: 7 };

/** The superblock of the format's worked example, in the second block of a slab. */
function sample(): Slab {
  const slab = Slab.ofSize(2 * 4096);
  writeFixedFields(slab, 1024, 128, 1024);
  writeCommittedFields(slab, 1024, {
    flags: 0,
    time: 3,
    transactionId: 5,
    heldRoot: 0,
    dataSpaceMapRoot: root,
    metadataSpaceMapRoot: { nrBlocks: 1024, nrAllocated: 12, bitmapRoot: 11, refCountRoot: 10 },
    dataMappingRoot: 5,
    deviceDetailsRoot: 4,
  });
  return slab;
}

test('the worked example of the format has its bytes', () => {
  const { bytes } = sample();
  const hex = (offset: number, length: number) =>
    Array.from(bytes.subarray(4096 + offset, 4096 + offset + length), (byte) =>
      byte.toString(16).padStart(2, '0'),
    ).join('');
  expect(hex(0x20, 32)).toBe('ba529c010000000002000000030000000500000000000000' + '0000000000000000');
  expect(hex(0x40, 32)).toBe('64000000000000000600000000000000' + '08000000000000000700000000000000');
  expect(hex(0xc0, 32)).toBe('00040000000000000c00000000000000' + '0b000000000000000a00000000000000');
  expect(hex(0x140, 32)).toBe('05000000000000000400000000000000' + '80000000080000000004000000000000');
  expect(bytes.subarray(0, 4096).every((byte) => byte === 0)).toBe(true);
});

test('what was written is read', () => {
  expect(readThinSuperblock(sample(), 1024)).toEqual({
    flags: 0,
    uuid: '0'.repeat(32),
    version: 2,
    time: 3,
    transactionId: 5,
    heldRoot: 0,
    dataSpaceMapRoot: root,
    metadataSpaceMapRoot: { nrBlocks: 1024, nrAllocated: 12, bitmapRoot: 11, refCountRoot: 10 },
    dataMappingRoot: 5,
    deviceDetailsRoot: 4,
    dataBlockSize: 128,
    metadataBlockSize: 8,
    metadataNrBlocks: 1024,
    compatFlags: 0,
    compatRoFlags: 0,
    incompatFlags: 0,
  });
});

test('a uuid is shown as hexadecimal digits, a transaction id exactly', () => {
  const slab = sample();
  for (let i = 0; i < 16; i++) slab.bytes[4096 + 16 + i] = 0xf0 + i;
  slab.view.setBigUint64(4096 + 48, 2n ** 64n - 1n, true);
  const { uuid, transactionId } = readThinSuperblock(slab, 1024);
  expect([uuid, transactionId]).toEqual(['f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', 2n ** 64n - 1n]);
});

test('a commit changes its own fields and leaves all other bytes', () => {
  const slab = Slab.ofSize(2 * 4096);
  slab.bytes.fill(0xee);
  const before = slab.bytes.slice();
  const fields = { ...readThinSuperblock(sample(), 1024), transactionId: 2n ** 60n, heldRoot: 77 };
  writeCommittedFields(slab, 1024, fields);
  expect(readThinSuperblock(slab, 1024)).toMatchObject({ heldRoot: 77, transactionId: 2n ** 60n, time: 3 });
  const changed = Array.from(slab.bytes.keys()).filter((i) => slab.bytes[i] !== before[i]);
  const ranges = [
    [4, 8],
    [44, 64],
    [64, 96],
    [192, 224],
    [320, 336],
  ] as const;
  expect(changed.every((i) => ranges.some(([begin, end]) => i - 4096 >= begin && i - 4096 < end))).toBe(true);
});

test('the space-map roots are cleared, and nothing else', () => {
  const slab = sample();
  const wanted = slab.bytes.slice();
  wanted.fill(0, 4096 + 64, 4096 + 320);
  clearSpaceMapRoots(slab, 1024);
  expect(slab.bytes).toEqual(wanted);
});

test('`needsCheck` looks at one bit', () => {
  expect([0, 1, 2, 3].map((flags) => needsCheck({ flags }))).toEqual([false, true, false, true]);
});

test.each([
  [0, false],
  [64, false],
  [127, false],
  [128, true],
  [129, false],
  [192, false],
  [256, true],
  [2097152, true],
  [2097280, false],
  [128.5, false],
  [Number.NaN, false],
])('a data block of %s sectors is possible: %s', (sectors, possible) => {
  expect(isDataBlockSize(sectors)).toBe(possible);
});

describe('what is not supported is refused', () => {
  const good = readThinSuperblock(sample(), 1024);

  test.each<[Partial<ThinSuperblock>, string]>([
    [{ version: 0 }, 'version is 0, versions 1 to 2 are supported'],
    [{ version: 3 }, 'version is 3, versions 1 to 2 are supported'],
    [{ incompatFlags: 4 }, 'incompatFlags is 4, none is supported'],
    [{ compatRoFlags: 1 }, 'compatRoFlags is 1, read-only opening is supported'],
    [{ metadataBlockSize: 16 }, 'metadataBlockSize is 16, 8 sectors are supported'],
    [{ dataBlockSize: 100 }, 'dataBlockSize is 100, multiples of 128 sectors to 2097152 are supported'],
  ])('%j', (change, text) => {
    expect(() => refuseUnsupported({ ...good, ...change }, false)).toThrow(
      new UnsupportedError(`Cannot open pool: superblock ${text}`),
    );
  });

  test('but not versions 1 and 2, compatible features, or a read-only feature when reading', () => {
    refuseUnsupported(good, false);
    refuseUnsupported({ ...good, version: 1 }, false);
    refuseUnsupported({ ...good, compatFlags: 0xffff }, false);
    refuseUnsupported({ ...good, compatRoFlags: 1 }, true);
  });
});
