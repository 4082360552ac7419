import { CorruptionError, type Slab, TWO_POW_32, UnsupportedError } from '../base/index.ts';
import {
  CACHE_FLAG_CLEAN_SHUTDOWN,
  CACHE_FLAG_NEEDS_CHECK,
  CACHE_MAGIC,
  CACHE_SUPERBLOCK,
  CACHE_VERSION,
  METADATA_BLOCK_SECTORS,
  readSpaceMapRoot,
  type SpaceMapRoot,
  SUPERBLOCK_LOCATION,
  writeSpaceMapRoot,
} from '../format/index.ts';
import { type CachePolicy, hintSizeProblem, policyNameProblem } from './policy.ts';

/** Where dirty bits are: 1, in the mappings; 2, in a bitset of their own. */
export type CacheVersion = 1 | 2;

/** Since the cache was made, as far as orderly ends and commits told. Each wraps at 2^32. */
export interface CacheStatistics {
  readonly readHits: number;
  readonly readMisses: number;
  readonly writeHits: number;
  readonly writeMisses: number;
}

export const NO_STATISTICS: CacheStatistics = { readHits: 0, readMisses: 0, writeHits: 0, writeMisses: 0 };

/** A cache's superblock, decoded. */
export interface CacheSuperblock extends CacheStatistics {
  readonly flags: number;
  /** As found; {@link refuseUnsupported} lets 1 and 2 pass. */
  readonly version: number;
  readonly policy: CachePolicy;
  readonly metadataSpaceMapRoot: SpaceMapRoot;
  readonly mappingRoot: number;
  /** 0: there are no hints. */
  readonly hintRoot: number;
  readonly discardRoot: number;
  /** In 512-byte sectors; 0 before the first orderly end. */
  readonly discardBlockSize: number;
  /** Bits in the discard bitset. */
  readonly discardNrBlocks: number;
  /** 512-byte sectors. */
  readonly dataBlockSize: number;
  /** 512-byte sectors: 8. */
  readonly metadataBlockSize: number;
  readonly cacheBlocks: number;
  readonly compatFlags: number;
  readonly compatRoFlags: number;
  readonly incompatFlags: number;
  /** Of version 2; else 0. */
  readonly dirtyRoot: number;
}

const at = (name: Parameters<typeof CACHE_SUPERBLOCK.word>[0]): number => CACHE_SUPERBLOCK.word(name);
const NAME_OFFSET = CACHE_SUPERBLOCK.offset('policyName');
const NAME_BYTES = 16;

function readName(slab: Slab, base: number): string {
  const bytes = slab.bytes.subarray(base * 4 + NAME_OFFSET, base * 4 + NAME_OFFSET + NAME_BYTES);
  const end = bytes.indexOf(0);
  return String.fromCharCode(...bytes.subarray(0, end < 0 ? NAME_BYTES : end));
}

/** Reads the superblock at word offset `base`. Its block has passed the validator. */
export function readCacheSuperblock(slab: Slab, base: number): CacheSuperblock {
  const { words } = slab;
  const u32 = (word: number): number => words[base + word]!;
  const u64 = (word: number): number => words[base + word + 1]! * TWO_POW_32 + words[base + word]!;
  const version = u32(at('version'));
  const policyVersion = at('policyVersion');
  return {
    flags: u32(at('flags')),
    version,
    policy: {
      name: readName(slab, base),
      version: [u32(policyVersion), u32(policyVersion + 1), u32(policyVersion + 2)],
      hintSize: u32(at('policyHintSize')),
    },
    metadataSpaceMapRoot: readSpaceMapRoot(words, base + at('metadataSpaceMapRoot')),
    mappingRoot: u64(at('mappingRoot')),
    hintRoot: u64(at('hintRoot')),
    discardRoot: u64(at('discardRoot')),
    discardBlockSize: u64(at('discardBlockSize')),
    discardNrBlocks: u64(at('discardNrBlocks')),
    dataBlockSize: u32(at('dataBlockSize')),
    metadataBlockSize: u32(at('metadataBlockSize')),
    cacheBlocks: u32(at('cacheBlocks')),
    compatFlags: u32(at('compatFlags')),
    compatRoFlags: u32(at('compatRoFlags')),
    incompatFlags: u32(at('incompatFlags')),
    readHits: u32(at('readHits')),
    readMisses: u32(at('readMisses')),
    writeHits: u32(at('writeHits')),
    writeMisses: u32(at('writeMisses')),
    dirtyRoot: version === 2 ? u64(at('dirtyRoot')) : 0,
  };
}

/** What a commit changes in a superblock. */
export type CommittedFields = Pick<
  CacheSuperblock,
  | 'flags'
  | 'policy'
  | 'metadataSpaceMapRoot'
  | 'mappingRoot'
  | 'hintRoot'
  | 'discardRoot'
  | 'discardBlockSize'
  | 'discardNrBlocks'
  | 'cacheBlocks'
  | 'dirtyRoot'
> &
  CacheStatistics & { readonly version: CacheVersion };

/** Writes what a commit changes; all other bytes stay. */
export function writeCommittedFields(slab: Slab, base: number, fields: CommittedFields): void {
  const { words, bytes } = slab;
  const setU64 = (word: number, value: number): void => {
    words[base + word] = value >>> 0;
    words[base + word + 1] = Math.floor(value / TWO_POW_32);
  };
  const { policy, version } = fields;
  words[base + at('flags')] = fields.flags;
  const name = base * 4 + NAME_OFFSET;
  bytes.fill(0, name, name + NAME_BYTES);
  bytes.set(new TextEncoder().encode(policy.name), name);
  words[base + at('policyHintSize')] = policy.hintSize;
  words.set(policy.version, base + at('policyVersion'));
  writeSpaceMapRoot(words, base + at('metadataSpaceMapRoot'), fields.metadataSpaceMapRoot);
  for (const field of ['mappingRoot', 'hintRoot', 'discardRoot', 'discardBlockSize', 'discardNrBlocks'] as const) {
    setU64(at(field), fields[field]);
  }
  for (const field of ['cacheBlocks', 'readHits', 'readMisses', 'writeHits', 'writeMisses'] as const) {
    words[base + at(field)] = fields[field];
  }
  if (version === 2) setU64(at('dirtyRoot'), fields.dirtyRoot);
}

/** Writes what a format fixes for ever, into a zeroed block. @param dataBlockSize - In sectors. */
export function writeFixedFields(slab: Slab, base: number, version: CacheVersion, dataBlockSize: number): void {
  const { words } = slab;
  words[base + at('magic')] = CACHE_MAGIC;
  words[base + at('version')] = version;
  words[base + at('dataBlockSize')] = dataBlockSize;
  words[base + at('metadataBlockSize')] = METADATA_BLOCK_SECTORS;
}

/** Changes flags of the superblock at word offset `base`. */
export function changeFlags(slab: Slab, base: number, change: (flags: number) => number): void {
  const word = base + at('flags');
  slab.words[word] = change(slab.words[word]!) >>> 0;
}

export function needsCheck({ flags }: Pick<CacheSuperblock, 'flags'>): boolean {
  return (flags & CACHE_FLAG_NEEDS_CHECK) !== 0;
}

/** Whether the last end was an orderly one: dirty bits, hints and discards are then what they say. */
export function isCleanShutdown({ flags }: Pick<CacheSuperblock, 'flags'>): boolean {
  return (flags & CACHE_FLAG_CLEAN_SHUTDOWN) !== 0;
}

/** The version of a superblock. @throws {UnsupportedError} when it is neither 1 nor 2. */
export function supportedVersion({ version }: Pick<CacheSuperblock, 'version'>): CacheVersion {
  if (version === 1 || version === CACHE_VERSION) return version;
  throw new UnsupportedError(`unsupported metadata version ${version}: versions 1 and 2 are supported`);
}

/** @throws {UnsupportedError} when this library must not use the cache, or must not write it and `readOnly` is false. */
export function refuseUnsupported(superblock: CacheSuperblock, readOnly: boolean): void {
  const { incompatFlags, compatRoFlags, metadataBlockSize, dataBlockSize, policy } = superblock;
  const refuse = (field: string, found: number | string, wanted: string): never => {
    throw new UnsupportedError(`Cannot open cache: superblock ${field} is ${found}, ${wanted} supported`);
  };
  supportedVersion(superblock);
  if (incompatFlags !== 0) refuse('incompatFlags', incompatFlags, 'none is');
  if (compatRoFlags !== 0 && !readOnly) refuse('compatRoFlags', compatRoFlags, 'read-only opening is');
  if (metadataBlockSize !== METADATA_BLOCK_SECTORS)
    refuse('metadataBlockSize', metadataBlockSize, `${METADATA_BLOCK_SECTORS} sectors are`);
  if (!isCacheBlockSize(dataBlockSize))
    refuse('dataBlockSize', dataBlockSize, 'multiples of 64 sectors to 2097152 are');
  if (hintSizeProblem(policy.hintSize) !== undefined)
    refuse('policyHintSize', policy.hintSize, 'hints of 4 bytes or none are');
  if (policyNameProblem(policy.name) !== undefined)
    refuse('policyName', JSON.stringify(policy.name), 'printable names of up to 15 characters are');
}

/** @throws {CorruptionError} when the superblock refers to a block that the device does not have, or lacks a root. */
export function refuseRootsOutside(superblock: CacheSuperblock, nrBlocks: number): void {
  for (const field of ['mappingRoot', 'hintRoot', 'discardRoot', 'dirtyRoot'] as const) {
    const found = superblock[field];
    const mayLack = field === 'hintRoot' || (field === 'dirtyRoot' && superblock.version === 1);
    if (found < nrBlocks && (found > 0 || mayLack)) continue;
    const message = `Cannot open cache: superblock ${field} is ${found}, a block of the device's ${nrBlocks} is wanted`;
    throw new CorruptionError(message, {
      block: SUPERBLOCK_LOCATION,
      kind: 'cache_superblock',
      field,
      found,
      expected: `below ${nrBlocks}`,
    });
  }
}

/** Whether a size, in 512-byte sectors, is one a cache may have: 32 KiB to 1 GiB, a multiple of 32 KiB. */
export function isCacheBlockSize(sectors: number): boolean {
  return Number.isInteger(sectors) && sectors >= 64 && sectors <= 2_097_152 && sectors % 64 === 0;
}

/** Blocks of the origin, where the superblock tells: only after an orderly end. Else `undefined`. */
export function originBlocks(superblock: CacheSuperblock): number | undefined {
  const { discardBlockSize, discardNrBlocks, dataBlockSize } = superblock;
  if (!isCleanShutdown(superblock) || discardBlockSize === 0 || discardNrBlocks === 0 || dataBlockSize === 0) {
    return undefined;
  }
  return Math.floor((discardBlockSize * discardNrBlocks) / dataBlockSize);
}
