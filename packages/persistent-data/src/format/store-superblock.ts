import { SALT, SPACE_MAP_ROOT_AREA } from './constants.ts';
import { Layout } from './layout.ts';
import { blockValidator, magicCheck } from './validator.ts';

/** One of the two superblocks of a `Store`: that of generation g lies in block g & 1. All fields are in the first 512 bytes. */
export const STORE_SUPERBLOCK = new Layout('store_superblock', 512, {
  csum: 'u32',
  flags: 'u32',
  blocknr: 'u64',
  magic: 'u64',
  version: 'u32',
  compatFlags: 'u32',
  compatRoFlags: 'u32',
  incompatFlags: 'u32',
  uuid: 16,
  createdMs: 'u64',
  generation: 'u64',
  spaceMapRoot: SPACE_MAP_ROOT_AREA,
  catalogueRoot: 'u64',
  namesRoot: 'u64',
  snapshotsRoot: 'u64',
  headParent: 'u32',
  nextCollection: 'u32',
  nextSnapshot: 'u32',
  nrProofEntries: 'u32',
  journalBegin0: 'u64',
  journalBegin1: 'u64',
  journalBlocks: 'u32',
  reserved: 252,
});

/** `pdata` in ASCII, the first letter in the lowest byte. */
export const STORE_MAGIC = 0x61_7461_6470;
export const STORE_VERSION = 1;

/** Value of the catalogue: collection id → where the collection is and how large. */
export const STORE_DESCRIPTOR = new Layout('store_descriptor', 32, {
  root: 'u64',
  count: 'u64',
  length: 'u64',
  kind: 'u8',
  levels: 'u8',
  flags: 'u16',
  valueSize: 'u32',
});

/** What a collection is (`kind` of a {@link STORE_DESCRIPTOR}). */
export const STORE_KIND = { tree: 1, array: 2, bitset: 3 } as const;

/** Value of the tree of names: collection id → name and schema, one after the other in `text`, UTF-8. */
export const STORE_NAME = new Layout('store_name', 1344, { nameLength: 'u16', schemaLength: 'u16', text: 1340 });

/** Value of the tree of snapshots: snapshot id → the state that it is. */
export const STORE_SNAPSHOT = new Layout('store_snapshot', 256, {
  catalogueRoot: 'u64',
  namesRoot: 'u64',
  createdMs: 'u64',
  parent: 'u32',
  flags: 'u32',
  nameLength: 'u32',
  name: 220,
});

/** Bit 0 of a snapshot's `flags`: a reader's view, dropped when the store is next opened for writing. */
export const STORE_SNAPSHOT_HIDDEN = 1;

/** The beginning of each record of a journal area, at a multiple of 8 bytes. `length` counts this header too, in bytes. */
export const JOURNAL_HEADER = new Layout('journal_header', 32, {
  csum: 'u32',
  magic: 'u32',
  generation: 'u64',
  sequence: 'u32',
  kind: 'u32',
  length: 'u32',
  previous: 'u32',
});

/** `pdjr` in ASCII. */
export const JOURNAL_MAGIC = 0x726a_6470;
/** What a record is (`kind` of a {@link JOURNAL_HEADER}). */
export const JOURNAL_KIND = { proof: 1, redo: 2 } as const;

/** One entry of a proof record: a block that the checkpoint wrote, and the first word of its content, which is its checksum. */
export const PROOF_ENTRY = new Layout('proof_entry', 8, { block: 'u32', csum: 'u32' });

export const STORE_SUPERBLOCK_VALIDATOR = blockValidator({
  kind: 'store_superblock',
  salt: SALT.storeSuperblock,
  blocknrWord: STORE_SUPERBLOCK.word('blocknr'),
  checkMagic: magicCheck(STORE_SUPERBLOCK.word('magic'), STORE_MAGIC),
});
