import { CorruptionError } from '../base/index.ts';
import { PLAIN_U32, readU64 } from '../btree/index.ts';
import type { BlockScanner } from '../disk-space-map/index.ts';
import {
  BITMAP_VALIDATOR,
  bitmapCount,
  bitmapUsedMask,
  ENTRIES_PER_BITMAP,
  INDEX_ENTRY,
  MAX_METADATA_BLOCKS,
  METADATA_INDEX,
  METADATA_INDEX_VALIDATOR,
  NodeView,
  type SpaceMapRoot,
} from '../format/index.ts';
import { loadBlock, type ThinImage } from './image.ts';
import { leavesOf, loadNodes } from './leaf-list.ts';
import type { DataRegion } from './reverse-map.ts';

/** Which of a pool's two space maps. */
export type SpaceName = 'data' | 'metadata';

/** Blocks by reference count, of one space. */
export interface CountHistogram {
  /** Blocks with each count from 1 on, lowest first. */
  readonly counts: ReadonlyMap<number, number>;
  readonly nrAllocated: number;
}

function rootOfSpace(image: ThinImage, space: SpaceName): SpaceMapRoot {
  const { dataSpaceMapRoot, metadataSpaceMapRoot } = image.superblock;
  return space === 'data' ? dataSpaceMapRoot : metadataSpaceMapRoot;
}

/** The blocks of the bitmaps, in order. */
function bitmapsOf(image: ThinImage, space: SpaceName): number[] {
  const { scanner } = image;
  const { nrBlocks, bitmapRoot } = rootOfSpace(image, space);
  const nrBitmaps = Math.ceil(nrBlocks / ENTRIES_PER_BITMAP);
  const blocks: number[] = [];
  if (space === 'metadata') {
    if (nrBlocks > MAX_METADATA_BLOCKS) throw noBitmap(0, space);
    loadBlock(scanner, bitmapRoot, METADATA_INDEX_VALIDATOR);
    const at = METADATA_INDEX.offset('index');
    for (let i = 0; i < nrBitmaps; i++) blocks.push(readU64(scanner.slab, at + i * INDEX_ENTRY.size));
    return blocks;
  }
  const node = new NodeView(scanner.slab);
  for (const leaf of leavesOf(scanner, bitmapRoot, INDEX_ENTRY.size).blocks) {
    loadNodes(scanner, [leaf]);
    node.base = scanner.base(0);
    for (let i = 0; i < node.nrEntries; i++) {
      if (node.keyAt(i) !== blocks.length) throw noBitmap(blocks.length, space);
      blocks.push(readU64(node.slab, node.valueAt(i)));
    }
  }
  if (blocks.length < nrBitmaps) throw noBitmap(blocks.length, space);
  return blocks.slice(0, nrBitmaps);
}

function noBitmap(index: number, space: SpaceName): CorruptionError {
  return new CorruptionError(`Cannot read the ${space} space map: bitmap ${index} has no entry`, { kind: 'bitmap' });
}

/** Gives the place of each bitmap, in order. */
function forEachBitmap(
  scanner: BlockScanner,
  blocks: readonly number[],
  visit: (base: number, index: number) => void,
): void {
  const { nrBlocks } = scanner.device;
  for (let begin = 0; begin < blocks.length; begin += scanner.capacity) {
    const batch = blocks.slice(begin, begin + scanner.capacity);
    for (const block of batch) {
      if (block >= nrBlocks)
        throw new CorruptionError(`Cannot read bitmap block ${block}: it is outside the device`, { block });
    }
    scanner.load(batch, batch.length);
    for (const [i, block] of batch.entries()) {
      const problem = scanner.problem(i, block, BITMAP_VALIDATOR);
      if (problem !== undefined) throw problem;
      visit(scanner.base(i), begin + i);
    }
  }
}

/**
 * Tells the runs of data blocks that are free, in order, neighbours put together. Reads each bitmap once.
 *
 * @throws {CorruptionError} when the data space map cannot be believed.
 */
export function freeDataRuns(image: ThinImage): DataRegion[] {
  const { scanner } = image;
  const { nrBlocks } = rootOfSpace(image, 'data');
  const runs: DataRegion[] = [];
  let begin = -1;
  const end = (at: number): void => {
    if (begin >= 0) runs.push({ begin, end: at });
    begin = -1;
  };
  forEachBitmap(scanner, bitmapsOf(image, 'data'), (base, index) => {
    const first = index * ENTRIES_PER_BITMAP;
    const count = Math.min(ENTRIES_PER_BITMAP, nrBlocks - first);
    for (let bit = 0; bit < count; bit++) {
      const isFree = bitmapCount(scanner.slab.words, base, bit) === 0;
      if (isFree && begin < 0) begin = first + bit;
      else if (!isFree) end(first + bit);
    }
  });
  end(nrBlocks);
  return runs;
}

/** Counts the blocks of a space by their reference count, as its space map has them. */
export function countHistogram(image: ThinImage, space: SpaceName): CountHistogram {
  const { scanner } = image;
  const { nrBlocks, refCountRoot } = rootOfSpace(image, space);
  const byCount = [0, 0, 0, 0];
  forEachBitmap(scanner, bitmapsOf(image, space), (base, index) => {
    const count = Math.min(ENTRIES_PER_BITMAP, nrBlocks - index * ENTRIES_PER_BITMAP);
    for (let word = 0; word * 16 < count; word++) {
      if (bitmapUsedMask(scanner.slab.words, base, word) === 0) continue;
      const end = Math.min(count, word * 16 + 16);
      for (let bit = word * 16; bit < end; bit++) byCount[bitmapCount(scanner.slab.words, base, bit)]!++;
    }
  });
  const counts = new Map<number, number>();
  const node = new NodeView(scanner.slab);
  for (const leaf of byCount[3] === 0 ? [] : leavesOf(scanner, refCountRoot, PLAIN_U32.size).blocks) {
    loadNodes(scanner, [leaf]);
    node.base = scanner.base(0);
    for (let i = 0; i < node.nrEntries; i++) {
      const count = node.words[node.valueAt(i) >>> 2]!;
      counts.set(count, (counts.get(count) ?? 0) + 1);
    }
  }
  for (const count of [1, 2]) if (byCount[count]! > 0) counts.set(count, byCount[count]!);
  const sorted = new Map([...counts].sort(([a], [b]) => a - b));
  return { counts: sorted, nrAllocated: [...sorted.values()].reduce((sum, times) => sum + times, 0) };
}
