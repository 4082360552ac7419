import { highHalf, joinKey, lowHalf, type Slab, TWO_POW_32, type U64, UnsupportedError } from '../base/index.ts';
import {
  METADATA_BLOCK_SECTORS,
  readSpaceMapRoot,
  type SpaceMapRoot,
  THIN_FLAG_NEEDS_CHECK,
  THIN_MAGIC,
  THIN_SUPERBLOCK,
  THIN_VERSION,
  writeSpaceMapRoot,
} from '../format/index.ts';

/** A thin pool's superblock, decoded. */
export interface ThinSuperblock {
  readonly flags: number;
  /** 16 bytes, as 32 hexadecimal digits; all zero in practice. */
  readonly uuid: string;
  readonly version: number;
  /** The snapshot clock. */
  readonly time: number;
  readonly transactionId: U64;
  /** Block of the metadata snapshot (a copy of a superblock), or 0. */
  readonly heldRoot: number;
  readonly dataSpaceMapRoot: SpaceMapRoot;
  readonly metadataSpaceMapRoot: SpaceMapRoot;
  readonly dataMappingRoot: number;
  readonly deviceDetailsRoot: number;
  /** 512-byte sectors. */
  readonly dataBlockSize: number;
  /** 512-byte sectors: 8. */
  readonly metadataBlockSize: number;
  /** At format; growth does not change it. */
  readonly metadataNrBlocks: number;
  readonly compatFlags: number;
  readonly compatRoFlags: number;
  readonly incompatFlags: number;
}

const at = (name: Parameters<typeof THIN_SUPERBLOCK.word>[0]): number => THIN_SUPERBLOCK.word(name);
const UUID_WORDS = 4;

function hex(words: Uint32Array, begin: number): string {
  let text = '';
  for (let i = 0; i < UUID_WORDS * 4; i++) {
    const byte = (words[begin + (i >>> 2)]! >>> (8 * (i & 3))) & 0xff;
    text += byte.toString(16).padStart(2, '0');
  }
  return text;
}

/** Reads the superblock at word offset `base`. Its block has passed the validator. */
export function readThinSuperblock(slab: Slab, base: number): ThinSuperblock {
  const { words } = slab;
  const u32 = (word: number): number => words[base + word]!;
  const u64 = (word: number): number => words[base + word + 1]! * TWO_POW_32 + words[base + word]!;
  return {
    flags: u32(at('flags')),
    uuid: hex(words, base + at('uuid')),
    version: u32(at('version')),
    time: u32(at('time')),
    transactionId: joinKey(u32(at('transId') + 1), u32(at('transId'))),
    heldRoot: u64(at('heldRoot')),
    dataSpaceMapRoot: readSpaceMapRoot(words, base + at('dataSpaceMapRoot')),
    metadataSpaceMapRoot: readSpaceMapRoot(words, base + at('metadataSpaceMapRoot')),
    dataMappingRoot: u64(at('dataMappingRoot')),
    deviceDetailsRoot: u64(at('deviceDetailsRoot')),
    dataBlockSize: u32(at('dataBlockSize')),
    metadataBlockSize: u32(at('metadataBlockSize')),
    metadataNrBlocks: u64(at('metadataNrBlocks')),
    compatFlags: u32(at('compatFlags')),
    compatRoFlags: u32(at('compatRoFlags')),
    incompatFlags: u32(at('incompatFlags')),
  };
}

/** What a commit changes in a superblock. */
export type CommittedFields = Pick<
  ThinSuperblock,
  | 'flags'
  | 'time'
  | 'transactionId'
  | 'heldRoot'
  | 'dataSpaceMapRoot'
  | 'metadataSpaceMapRoot'
  | 'dataMappingRoot'
  | 'deviceDetailsRoot'
>;

/** Writes what a commit changes; all other bytes stay. */
export function writeCommittedFields(slab: Slab, base: number, fields: CommittedFields): void {
  const { words } = slab;
  const setU64 = (word: number, value: U64): void => {
    words[base + word] = lowHalf(value);
    words[base + word + 1] = highHalf(value);
  };
  words[base + at('flags')] = fields.flags;
  words[base + at('time')] = fields.time;
  setU64(at('transId'), fields.transactionId);
  setU64(at('heldRoot'), fields.heldRoot);
  writeSpaceMapRoot(words, base + at('dataSpaceMapRoot'), fields.dataSpaceMapRoot);
  writeSpaceMapRoot(words, base + at('metadataSpaceMapRoot'), fields.metadataSpaceMapRoot);
  setU64(at('dataMappingRoot'), fields.dataMappingRoot);
  setU64(at('deviceDetailsRoot'), fields.deviceDetailsRoot);
}

/** Writes what a format fixes for ever, into a zeroed block. Sizes in sectors and blocks. */
export function writeFixedFields(slab: Slab, base: number, dataBlockSize: number, metadataNrBlocks: number): void {
  const { words } = slab;
  words[base + at('magic')] = THIN_MAGIC;
  words[base + at('version')] = THIN_VERSION;
  words[base + at('dataBlockSize')] = dataBlockSize;
  words[base + at('metadataBlockSize')] = METADATA_BLOCK_SECTORS;
  words[base + at('metadataNrBlocks')] = metadataNrBlocks;
}

/** Clears both space-map roots, as the superblock's copy of a metadata snapshot has them: its blocks are counted elsewhere. */
export function clearSpaceMapRoots(slab: Slab, base: number): void {
  slab.words.fill(0, base + at('dataSpaceMapRoot'), base + at('dataMappingRoot'));
}

export function needsCheck(superblock: Pick<ThinSuperblock, 'flags'>): boolean {
  return (superblock.flags & THIN_FLAG_NEEDS_CHECK) !== 0;
}

/** Clears the flag in the superblock at word offset `base`. */
export function clearNeedsCheck(slab: Slab, base: number): void {
  const word = base + at('flags');
  slab.words[word] = (slab.words[word]! & ~THIN_FLAG_NEEDS_CHECK) >>> 0;
}

/** @throws {UnsupportedError} when this library must not use the pool, or must not write it and `readOnly` is false. */
export function refuseUnsupported(superblock: ThinSuperblock, readOnly: boolean): void {
  const { version, incompatFlags, compatRoFlags, metadataBlockSize, dataBlockSize } = superblock;
  const refuse = (field: string, found: number, wanted: string): never => {
    throw new UnsupportedError(`Cannot open pool: superblock ${field} is ${found}, ${wanted} supported`);
  };
  if (version < 1 || version > THIN_VERSION) refuse('version', version, `versions 1 to ${THIN_VERSION} are`);
  if (incompatFlags !== 0) refuse('incompatFlags', incompatFlags, 'none is');
  if (compatRoFlags !== 0 && !readOnly) refuse('compatRoFlags', compatRoFlags, 'read-only opening is');
  if (metadataBlockSize !== METADATA_BLOCK_SECTORS)
    refuse('metadataBlockSize', metadataBlockSize, `${METADATA_BLOCK_SECTORS} sectors are`);
  if (!isDataBlockSize(dataBlockSize))
    refuse('dataBlockSize', dataBlockSize, 'multiples of 128 sectors to 2097152 are');
}

/** Whether a size, in 512-byte sectors, is one a pool may have: 64 KiB to 1 GiB, a multiple of 64 KiB. */
export function isDataBlockSize(sectors: number): boolean {
  return Number.isInteger(sectors) && sectors >= 128 && sectors <= 2097152 && sectors % 128 === 0;
}
