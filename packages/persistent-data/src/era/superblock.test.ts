import { expect, test } from 'vitest';
import { CorruptionError, Slab, UnsupportedError } from '../base/index.ts';
import { ERA_SUPERBLOCK } from '../format/index.ts';
import {
  type EraSuperblock,
  isEraBlockSize,
  readEraSuperblock,
  refuseImpossible,
  refuseUnsupported,
  writeEraSuperblock,
} from './superblock.ts';

const FIELDS = {
  flags: 1,
  metadataSpaceMapRoot: { nrBlocks: 1024, nrAllocated: 15, bitmapRoot: 483, refCountRoot: 2 },
  dataBlockSize: 128,
  nrBlocks: 512,
  currentEra: 3,
  currentWriteset: { nrBits: 512, root: 2 ** 40 },
  writesetTreeRoot: 481,
  eraArrayRoot: 420,
  metadataSnap: 412,
};

function written(): { slab: Slab; superblock: EraSuperblock } {
  const slab = Slab.ofSize(8192);
  slab.words.fill(0xffff_ffff);
  writeEraSuperblock(slab, 1024, FIELDS);
  return { slab, superblock: readEraSuperblock(slab, 1024) };
}

test('what is written is read, every field is filled, and nothing around them is touched', () => {
  const { slab, superblock } = written();
  expect(superblock).toEqual({ ...FIELDS, version: 1, metadataBlockSize: 8 });
  expect(slab.words.slice(1024 + 4, 1024 + 8)).toEqual(new Uint32Array(4));
  const area = 1024 + ERA_SUPERBLOCK.word('metadataSpaceMapRoot');
  expect(slab.words.slice(area + 8, area + 32)).toEqual(new Uint32Array(24));
  expect(slab.words[1023]).toBe(0xffff_ffff);
  expect(slab.words[1024 + 56]).toBe(0xffff_ffff);
});

test('versions and sizes that the kernel does not have are refused', () => {
  const { superblock } = written();
  refuseUnsupported(superblock);
  const wrong: Partial<EraSuperblock>[] = [
    { version: 0 },
    { version: 2 },
    { metadataBlockSize: 16 },
    { dataBlockSize: 0 },
    { dataBlockSize: 12 },
    { nrBlocks: 2 ** 31 },
  ];
  for (const fields of wrong) {
    expect(() => refuseUnsupported({ ...superblock, ...fields })).toThrow(UnsupportedError);
    expect(() => refuseUnsupported({ ...superblock, ...fields })).toThrow(Object.keys(fields)[0]!);
  }
  expect([8, 128, 24, 0, 4, 2 ** 32].map(isEraBlockSize)).toEqual([true, true, true, false, false, false]);
});

test('numbers that the device has no room for are refused with their field, before anything is made of their size', () => {
  const { superblock } = written();
  const sound = { ...superblock, currentWriteset: { nrBits: 512, root: 7 } };
  refuseImpossible(sound, 1024);
  const wrong: [Partial<EraSuperblock>, string][] = [
    [{ writesetTreeRoot: 1024 }, 'writesetTreeRoot'],
    [{ eraArrayRoot: 2 ** 60 }, 'eraArrayRoot'],
    [{ metadataSnap: 5000 }, 'metadataSnap'],
    [{ nrBlocks: 1018 * 1024 + 1 }, 'nrBlocks'],
    [{ currentWriteset: { nrBits: 1, root: 1024 } }, 'currentWritesetRoot'],
    [{ currentWriteset: { nrBits: 509 * 64 * 1024 + 1, root: 1 } }, 'currentWritesetNrBits'],
  ];
  for (const [fields, field] of wrong) {
    const refuse = () => refuseImpossible({ ...sound, ...fields }, 1024);
    expect(refuse).toThrow(CorruptionError);
    expect(refuse).toThrow(expect.objectContaining({ field, block: 0, kind: 'era_superblock' }));
  }
  refuseImpossible({ ...sound, currentWriteset: { nrBits: 2 ** 31, root: 0 } }, 1024);
});
