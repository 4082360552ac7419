import { CorruptionError, type Slab, TWO_POW_32, UnsupportedError } from '../base/index.ts';
import {
  ERA_MAGIC,
  ERA_SUPERBLOCK,
  ERA_VERSION,
  METADATA_BLOCK_SECTORS,
  readSpaceMapRoot,
  type SpaceMapRoot,
  SUPERBLOCK_LOCATION,
  writeSpaceMapRoot,
} from '../format/index.ts';
import type { Writeset } from './writeset.ts';

/** An era device's superblock, decoded. */
export interface EraSuperblock {
  /** Bit 0 is set by the userland tools; nobody reads it. */
  readonly flags: number;
  readonly version: number;
  readonly metadataSpaceMapRoot: SpaceMapRoot;
  /** 512-byte sectors. */
  readonly dataBlockSize: number;
  /** 512-byte sectors: 8. */
  readonly metadataBlockSize: number;
  /** Data blocks that are tracked: the length of the era array. */
  readonly nrBlocks: number;
  readonly currentEra: number;
  /** The writeset of the current era; its root is 0 when there is none, as after a clean shutdown. */
  readonly currentWriteset: Writeset;
  readonly writesetTreeRoot: number;
  readonly eraArrayRoot: number;
  /** Block of the metadata snapshot (a copy of a superblock), or 0. */
  readonly metadataSnap: number;
}

/** Data blocks are numbered in 31 bits. */
export const MAX_NR_BLOCKS = 2 ** 31 - 1;

const at = (name: Parameters<typeof ERA_SUPERBLOCK.word>[0]): number => ERA_SUPERBLOCK.word(name);

/** Reads the superblock at word offset `base`. Its block has passed the validator. */
export function readEraSuperblock(slab: Slab, base: number): EraSuperblock {
  const { words } = slab;
  const u32 = (word: number): number => words[base + word]!;
  const u64 = (word: number): number => words[base + word + 1]! * TWO_POW_32 + words[base + word]!;
  return {
    flags: u32(at('flags')),
    version: u32(at('version')),
    metadataSpaceMapRoot: readSpaceMapRoot(words, base + at('metadataSpaceMapRoot')),
    dataBlockSize: u32(at('dataBlockSize')),
    metadataBlockSize: u32(at('metadataBlockSize')),
    nrBlocks: u32(at('nrBlocks')),
    currentEra: u32(at('currentEra')),
    currentWriteset: { nrBits: u32(at('currentWritesetNrBits')), root: u64(at('currentWritesetRoot')) },
    writesetTreeRoot: u64(at('writesetTreeRoot')),
    eraArrayRoot: u64(at('eraArrayRoot')),
    metadataSnap: u64(at('metadataSnap')),
  };
}

/** What a commit or a restore decides of a superblock. All else is fixed. */
export type WrittenFields = Omit<EraSuperblock, 'version' | 'metadataBlockSize'>;

/** Writes every field but checksum and block number, as each commit does. The uuid is zero. */
export function writeEraSuperblock(slab: Slab, base: number, fields: WrittenFields): void {
  const { words } = slab;
  const setU64 = (word: number, value: number): void => {
    words[base + word] = value >>> 0;
    words[base + word + 1] = value / TWO_POW_32;
  };
  words[base + at('flags')] = fields.flags;
  words.fill(0, base + at('uuid'), base + at('magic'));
  setU64(at('magic'), ERA_MAGIC);
  words[base + at('version')] = ERA_VERSION;
  words.fill(0, base + at('metadataSpaceMapRoot'), base + at('dataBlockSize'));
  writeSpaceMapRoot(words, base + at('metadataSpaceMapRoot'), fields.metadataSpaceMapRoot);
  words[base + at('dataBlockSize')] = fields.dataBlockSize;
  words[base + at('metadataBlockSize')] = METADATA_BLOCK_SECTORS;
  words[base + at('nrBlocks')] = fields.nrBlocks;
  words[base + at('currentEra')] = fields.currentEra;
  words[base + at('currentWritesetNrBits')] = fields.currentWriteset.nrBits;
  setU64(at('currentWritesetRoot'), fields.currentWriteset.root);
  setU64(at('writesetTreeRoot'), fields.writesetTreeRoot);
  setU64(at('eraArrayRoot'), fields.eraArrayRoot);
  setU64(at('metadataSnap'), fields.metadataSnap);
}

/** @throws {UnsupportedError} when this library must not use the device. */
export function refuseUnsupported(superblock: EraSuperblock): void {
  const { version, metadataBlockSize, dataBlockSize, nrBlocks } = superblock;
  const refuse = (field: string, found: number, wanted: string): never => {
    throw new UnsupportedError(`Cannot open era metadata: superblock ${field} is ${found}, ${wanted} supported`);
  };
  if (version !== ERA_VERSION) refuse('version', version, `version ${ERA_VERSION} is`);
  if (metadataBlockSize !== METADATA_BLOCK_SECTORS)
    refuse('metadataBlockSize', metadataBlockSize, `${METADATA_BLOCK_SECTORS} sectors are`);
  if (!isEraBlockSize(dataBlockSize)) refuse('dataBlockSize', dataBlockSize, 'multiples of 8 sectors above 0 are');
  if (nrBlocks > MAX_NR_BLOCKS) refuse('nrBlocks', nrBlocks, `at most ${MAX_NR_BLOCKS} are`);
}

/** Whether a size, in 512-byte sectors, is one that the kernel's target takes: a multiple of 4 KiB. */
export function isEraBlockSize(sectors: number): boolean {
  return Number.isInteger(sectors) && sectors > 0 && sectors < TWO_POW_32 && sectors % 8 === 0;
}

/**
 * Refuses a superblock whose numbers the device cannot have room for, before anything is made of their size.
 *
 * @param nrBlocks - Of the metadata device.
 * @throws {CorruptionError} with the field.
 */
export function refuseImpossible(superblock: EraSuperblock, nrBlocks: number): void {
  const refuse = (field: string, found: number, expected: string): never => {
    const message = `Cannot use era metadata: superblock ${field} is ${found}, ${expected} is wanted`;
    const place = { block: SUPERBLOCK_LOCATION, kind: 'era_superblock', field, found, expected };
    throw new CorruptionError(message, place);
  };
  const { currentWriteset } = superblock;
  for (const field of ['writesetTreeRoot', 'eraArrayRoot', 'metadataSnap'] as const) {
    if (superblock[field] >= nrBlocks) refuse(field, superblock[field], `a block of the device's ${nrBlocks}`);
  }
  if (currentWriteset.root >= nrBlocks) {
    refuse('currentWritesetRoot', currentWriteset.root, `a block of the device's ${nrBlocks}`);
  }
  const mostBlocks = mostElements(nrBlocks);
  if (superblock.nrBlocks > mostBlocks) refuse('nrBlocks', superblock.nrBlocks, `at most ${mostBlocks}`);
  const mostBits = mostBitsOn(nrBlocks);
  if (currentWriteset.root !== 0 && currentWriteset.nrBits > mostBits) {
    refuse('currentWritesetNrBits', currentWriteset.nrBits, `at most ${mostBits}`);
  }
}

/** The most eras that a metadata device of `nrBlocks` blocks has room for: 1018 in an array block. */
export function mostElements(nrBlocks: number): number {
  return 1018 * nrBlocks;
}

/** The most bits that a metadata device of `nrBlocks` blocks has room for: 509 words of 64 in an array block. */
export function mostBitsOn(nrBlocks: number): number {
  return 509 * 64 * nrBlocks;
}
