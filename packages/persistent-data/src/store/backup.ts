import { NoSpaceError, Slab } from '../base/index.ts';
import type { KeptVersion } from '../disk-space-map/index.ts';
import { BITMAP_VALIDATOR, bitmapCount, ENTRIES_PER_BITMAP, METADATA_BLOCK_SIZE } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { writeZeros } from './checkpoint.ts';
import { markBeingMade } from './opening.ts';
import { type StoreSuperblock, slotOf, superblockImage } from './superblock.ts';

/** Blocks copied at a time. */
const CHUNK = 256;

export interface BackupOptions {
  /** Called after each piece: blocks copied so far, and of how many. */
  readonly onProgress?: (progress: { readonly nrCopied: number; readonly nrBlocks: number }) => void;
}

/** What is copied: a checkpoint that somebody holds, so that none of its blocks is written meanwhile. */
export interface BackupSource {
  readonly device: BlockDevice;
  readonly superblock: StoreSuperblock;
  readonly held: KeptVersion;
  /** Throws when the store can't be read any more. */
  readonly refuseUnusable: () => void;
}

/**
 * Copies a checkpoint to another device: the blocks in use, each to its own place, then a superblock that is believed without a proof. The journal
 * is left empty. Waits for the target's flush after each piece, so that others run meanwhile.
 */
export async function copyCheckpoint(source: BackupSource, target: BlockDevice, options: BackupOptions): Promise<void> {
  const { superblock } = source;
  const { nrBlocks } = superblock.spaceMapRoot;
  if (target.nrBlocks < nrBlocks && target.resize === undefined) {
    const text = `Cannot back up: the target has ${target.nrBlocks} blocks, ${nrBlocks} are needed`;
    throw new NoSpaceError(text, 'metadata');
  }
  markBeingMade(target);
  if (target.nrBlocks < nrBlocks) target.resize!(nrBlocks);
  const runs = [...usedRuns(source)];
  const total = runs.reduce((sum, { begin, end }) => sum + end - begin, 0);
  const buffer = new Uint8Array(CHUNK * METADATA_BLOCK_SIZE);
  let nrCopied = 0;
  for (const { begin, end } of runs) {
    for (let b = begin; b < end; b += CHUNK) {
      source.refuseUnusable();
      const bytes = buffer.subarray(0, Math.min(CHUNK, end - b) * METADATA_BLOCK_SIZE);
      source.device.read(b, [bytes]);
      target.write(b, [bytes]);
      nrCopied += bytes.length / METADATA_BLOCK_SIZE;
      options.onProgress?.({ nrCopied, nrBlocks: total });
      await flush(target);
    }
  }
  // Really written once, so that later commits change no more than their content.
  for (const begin of superblock.journalBegins) writeZeros(target, begin, begin + superblock.journalBlocks);
  await flush(target);
  target.write(slotOf(superblock.generation), [superblockImage({ ...superblock, nrProofEntries: 0 }).bytes]);
  await flush(target);
}

async function flush(device: BlockDevice): Promise<void> {
  if (device.flushAsync) await device.flushAsync();
  else device.flush();
}

/** The blocks that have a count in the held version, but for superblocks and journal. */
function* usedRuns({ device, superblock, held }: BackupSource): Generator<{ begin: number; end: number }> {
  const slab = Slab.ofSize(METADATA_BLOCK_SIZE);
  const { nrBlocks } = held.map;
  const { journalBegins, journalBlocks } = superblock;
  const isCopied = (b: number, bit: number): boolean =>
    bitmapCount(slab.words, 0, bit) > 0 &&
    b >= 2 &&
    !journalBegins.some((begin) => b >= begin && b < begin + journalBlocks);
  let begin = -1;
  for (let first = 0; first < nrBlocks; first += ENTRIES_PER_BITMAP) {
    const bitmap = held.map.index.bitmapBlock(first / ENTRIES_PER_BITMAP);
    device.read(bitmap, [slab.bytes]);
    BITMAP_VALIDATOR.check(slab, 0, bitmap);
    const end = Math.min(nrBlocks, first + ENTRIES_PER_BITMAP);
    for (let b = first; b < end; b++) {
      if (isCopied(b, b - first)) {
        if (begin < 0) begin = b;
      } else if (begin >= 0) {
        yield { begin, end: b };
        begin = -1;
      }
    }
  }
  if (begin >= 0) yield { begin, end: nrBlocks };
}
