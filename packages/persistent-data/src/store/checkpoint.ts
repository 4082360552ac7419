import { NoSpaceError } from '../base/index.ts';
import type { BlockManager } from '../block-manager/index.ts';
import type { KeptVersion, KeptVersions } from '../disk-space-map/index.ts';
import { METADATA_BLOCK_SIZE } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { HEAD, type StoreCore } from './core.ts';
import { Journal, proofBytes } from './journal.ts';
import type { RecordingDevice } from './recording-device.ts';
import { type StoreSuperblock, slotOf, superblockImage } from './superblock.ts';

/** The most blocks that a proof lists: reading them again (8 MiB) is what opening after a crash may cost. */
export const MAX_PROOF_ENTRIES = 2048;
/** Bounds of a journal area's length, in blocks, and the part of the store that each of the two is meant to be. */
const MIN_JOURNAL_BLOCKS = 64;
const MAX_JOURNAL_BLOCKS = 1024;
const JOURNAL_PART = 64;

/** What a checkpoint is made with. */
export interface CheckpointParts {
  readonly device: BlockDevice;
  readonly recording: RecordingDevice;
  readonly blockManager: BlockManager;
  readonly kept: KeptVersions;
  readonly core: StoreCore;
  /** The superblock of the checkpoint before. */
  readonly superblock: StoreSuperblock;
  /** Length that a journal area is to have for ever, in blocks. Default: it grows with the store. */
  readonly journalBlocks: number | undefined;
}

/** A checkpoint whose blocks were written, and which is durable once {@link PendingCheckpoint.image} is and everything before it. */
export interface PendingCheckpoint {
  readonly superblock: StoreSuperblock;
  readonly journal: Journal;
  /** The superblock's block. */
  readonly image: Uint8Array;
  /** Whether the superblock may be written before the flush: a proof tells then whether all else has arrived. */
  readonly oneFlush: boolean;
  /** The version before, which stays untouched until this one is durable. */
  readonly held: KeptVersion;
}

/** The length that each journal area of a store of so many blocks should have, in blocks. */
export function journalBlocksFor(nrBlocks: number): number {
  return Math.min(MAX_JOURNAL_BLOCKS, Math.max(MIN_JOURNAL_BLOCKS, Math.floor(nrBlocks / JOURNAL_PART)));
}

/**
 * Writes everything that is dirty, in order, and makes the new superblock; with a proof if the list of what was written is short enough. The core
 * begins a new transaction. Nothing is flushed, and the superblock is written only with {@link writeSuperblock}.
 *
 * @param withProof - `false`: two flushes, and the checkpoint is believed without a proof for ever.
 */
export function writeCheckpoint(parts: CheckpointParts, withProof: boolean): PendingCheckpoint {
  const held = parts.core.spaceMap.keepCommitted();
  try {
    return writeBlocks(parts, withProof, held);
  } catch (error) {
    parts.kept.release(held);
    throw error;
  }
}

function writeBlocks(parts: CheckpointParts, withProof: boolean, held: KeptVersion): PendingCheckpoint {
  const { device, recording, blockManager, core } = parts;
  const old = parts.superblock;
  core.storeAll();
  const areas = moveJournal(parts);
  core.tm.prepareCommit();
  blockManager.writeDirty();
  const generation = old.generation + 1;
  const entries = withProof ? proofOf(recording, core, areas.journalBlocks) : undefined;
  recording.clear();
  core.tm.finishCommit();
  const journal = new Journal(generation, areas.journalBegins[slotOf(generation)], areas.journalBlocks);
  if (entries !== undefined && entries.length > 0) journal.writeProof(device, entries);
  const superblock: StoreSuperblock = {
    ...old,
    ...areas,
    generation,
    spaceMapRoot: core.spaceMap.root,
    catalogueRoot: core.head.catalogueRoot,
    namesRoot: core.head.namesRoot,
    headParent: core.branch(HEAD)!.parent,
    snapshotsRoot: core.snapshotsRoot,
    nextCollection: core.nextCollection,
    nextSnapshot: core.nextSnapshot,
    nrProofEntries: entries?.length ?? 0,
  };
  const oneFlush = entries !== undefined && entries.length > 0;
  return { superblock, journal, image: superblockImage(superblock).bytes, oneFlush, held };
}

/** Writes the superblock of a checkpoint into its slot; no flush. */
export function writeSuperblock(device: BlockDevice, { superblock, image }: PendingCheckpoint): void {
  device.write(slotOf(superblock.generation), [image]);
}

/** Blocks that the checkpoint refers to and that were written for it, with their checksums; `undefined` when they are too many. */
function proofOf(recording: RecordingDevice, core: StoreCore, journalBlocks: number): [number, number][] | undefined {
  const { written } = recording;
  if (written === undefined) return undefined;
  // A block that was written and freed again is nobody's: the next transaction may write it while this checkpoint still counts.
  const entries = [...written].filter(([block]) => core.spaceMap.getCount(block) > 0);
  const room = Math.ceil(journalBlocks / 4) * METADATA_BLOCK_SIZE;
  return proofBytes(entries.length) <= room ? entries : undefined;
}

type Areas = Pick<StoreSuperblock, 'journalBegins' | 'journalBlocks'>;

/** Gives the journal longer areas where the store has outgrown them, at the end of new space. The old ones stay as they are until this is durable. */
function moveJournal({ device, blockManager, core, superblock, journalBlocks }: CheckpointParts): Areas {
  const { journalBegins, journalBlocks: now } = superblock;
  const stay: Areas = { journalBegins, journalBlocks: now };
  const wanted = journalBlocks ?? journalBlocksFor(core.spaceMap.nrBlocks);
  if (journalBlocks !== undefined ? wanted === now : wanted < 2 * now) return stay;
  const end = core.spaceMap.nrBlocks + 2 * wanted + 2;
  if (device.resize === undefined) return stay;
  try {
    if (device.nrBlocks < end) blockManager.resize(end);
    const first = end - 2 * wanted;
    writeZeros(device, first, end);
    const { cursor } = core.spaceMap;
    core.spaceMap.extend(end - core.spaceMap.nrBlocks);
    core.spaceMap.cursor = cursor;
    core.tm.incRange(first, end);
    for (const begin of journalBegins) core.tm.decRange(begin, begin + now);
    return { journalBegins: [first, first + wanted], journalBlocks: wanted };
  } catch (error) {
    // A full host: what there is will do. Nothing was counted yet.
    if (error instanceof NoSpaceError && error.space === 'host' && core.tm.broken === undefined) return stay;
    throw error;
  }
}

/**
 * Writes zeros, block by block, so that later writes of single blocks find them allocated on the host, one by one: a file that was first
 * written in large calls takes five times as long for each later small one.
 */
export function writeZeros(device: BlockDevice, begin: number, end: number): void {
  const zeros = [new Uint8Array(METADATA_BLOCK_SIZE)];
  for (let b = begin; b < end; b++) device.write(b, zeros);
}
