import { Slab, TWO_POW_32, UnsupportedError } from '../base/index.ts';
import {
  METADATA_BLOCK_SIZE,
  readSpaceMapRoot,
  type SpaceMapRoot,
  STORE_MAGIC,
  STORE_SUPERBLOCK,
  STORE_SUPERBLOCK_VALIDATOR,
  STORE_VERSION,
  writeSpaceMapRoot,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';

/** A superblock in core. Block numbers, counts of blocks, and ids; times in milliseconds since 1970. */
export interface StoreSuperblock {
  readonly flags: number;
  readonly version: number;
  readonly compatFlags: number;
  readonly compatRoFlags: number;
  readonly incompatFlags: number;
  /** 32 hexadecimal digits. */
  readonly uuid: string;
  readonly createdMs: number;
  /** Counts checkpoints; the superblock of generation g is in block g & 1. */
  readonly generation: number;
  readonly spaceMapRoot: SpaceMapRoot;
  readonly catalogueRoot: number;
  readonly namesRoot: number;
  readonly snapshotsRoot: number;
  /** The snapshot that the head was made from, or 0. */
  readonly headParent: number;
  readonly nextCollection: number;
  readonly nextSnapshot: number;
  /** Entries of the proof at the beginning of this generation's journal area; 0: it is believed without. */
  readonly nrProofEntries: number;
  /** First blocks of the two journal areas; generation g uses area g & 1. */
  readonly journalBegins: readonly [number, number];
  /** Length of each area, in blocks. */
  readonly journalBlocks: number;
}

type FieldName = Parameters<typeof STORE_SUPERBLOCK.word>[0];
const at = (name: FieldName): number => STORE_SUPERBLOCK.word(name);

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Reads the fields of a superblock that its validator has let pass. */
export function readSuperblock(slab: Slab): StoreSuperblock {
  const { words, bytes } = slab;
  const u32 = (name: FieldName): number => words[at(name)]!;
  const u64 = (name: FieldName): number => words[at(name) + 1]! * TWO_POW_32 + words[at(name)]!;
  const uuid = STORE_SUPERBLOCK.offset('uuid');
  return {
    flags: u32('flags'),
    version: u32('version'),
    compatFlags: u32('compatFlags'),
    compatRoFlags: u32('compatRoFlags'),
    incompatFlags: u32('incompatFlags'),
    uuid: hex(bytes.subarray(uuid, uuid + 16)),
    createdMs: u64('createdMs'),
    generation: u64('generation'),
    spaceMapRoot: readSpaceMapRoot(words, at('spaceMapRoot')),
    catalogueRoot: u64('catalogueRoot'),
    namesRoot: u64('namesRoot'),
    snapshotsRoot: u64('snapshotsRoot'),
    headParent: u32('headParent'),
    nextCollection: u32('nextCollection'),
    nextSnapshot: u32('nextSnapshot'),
    nrProofEntries: u32('nrProofEntries'),
    journalBegins: [u64('journalBegin0'), u64('journalBegin1')],
    journalBlocks: u32('journalBlocks'),
  };
}

/** Which of the two slots the superblock of a generation lies in. */
export function slotOf(generation: number): 0 | 1 {
  return (generation % 2) as 0 | 1;
}

/** A superblock as a block, sealed for its slot. */
export function superblockImage(superblock: StoreSuperblock): Slab {
  const slab = Slab.ofSize(METADATA_BLOCK_SIZE);
  const { words, bytes } = slab;
  const u32 = (name: FieldName, value: number): void => {
    words[at(name)] = value;
  };
  const u64 = (name: FieldName, value: number): void => {
    words[at(name)] = value >>> 0;
    words[at(name) + 1] = value / TWO_POW_32;
  };
  u32('flags', superblock.flags);
  u64('magic', STORE_MAGIC);
  u32('version', superblock.version);
  u32('compatFlags', superblock.compatFlags);
  u32('compatRoFlags', superblock.compatRoFlags);
  u32('incompatFlags', superblock.incompatFlags);
  const uuid = STORE_SUPERBLOCK.offset('uuid');
  for (let i = 0; i < 16; i++) bytes[uuid + i] = Number.parseInt(superblock.uuid.slice(2 * i, 2 * i + 2), 16);
  u64('createdMs', superblock.createdMs);
  u64('generation', superblock.generation);
  writeSpaceMapRoot(words, at('spaceMapRoot'), superblock.spaceMapRoot);
  u64('catalogueRoot', superblock.catalogueRoot);
  u64('namesRoot', superblock.namesRoot);
  u64('snapshotsRoot', superblock.snapshotsRoot);
  u32('headParent', superblock.headParent);
  u32('nextCollection', superblock.nextCollection);
  u32('nextSnapshot', superblock.nextSnapshot);
  u32('nrProofEntries', superblock.nrProofEntries);
  u64('journalBegin0', superblock.journalBegins[0]);
  u64('journalBegin1', superblock.journalBegins[1]);
  u32('journalBlocks', superblock.journalBlocks);
  STORE_SUPERBLOCK_VALIDATOR.seal(slab, 0, slotOf(superblock.generation));
  return slab;
}

/** Reads one slot. @throws {CorruptionError} when there is no superblock in it. */
export function readSlot(device: BlockDevice, slot: 0 | 1): StoreSuperblock {
  const slab = Slab.ofSize(METADATA_BLOCK_SIZE);
  device.read(slot, [slab.bytes]);
  STORE_SUPERBLOCK_VALIDATOR.check(slab, 0, slot);
  return readSuperblock(slab);
}

/** @throws {UnsupportedError} when this library must not use the store, or must not write it and `readOnly` is false. */
export function refuseUnsupported(superblock: StoreSuperblock, readOnly: boolean): void {
  const { version, incompatFlags, compatRoFlags } = superblock;
  const refuse = (field: string, found: number, wanted: string): never => {
    throw new UnsupportedError(`Cannot open store: superblock ${field} is ${found}, ${wanted} supported`);
  };
  if (version !== STORE_VERSION) refuse('version', version, `version ${STORE_VERSION} is`);
  if (incompatFlags !== 0) refuse('incompatFlags', incompatFlags, 'none is');
  if (compatRoFlags !== 0 && !readOnly) refuse('compatRoFlags', compatRoFlags, 'read-only opening is');
}
