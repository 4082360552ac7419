import { TWO_POW_32 } from '../base/index.ts';
import { Layout } from './layout.ts';

/** The root of a space map, in the first 32 bytes of a 128-byte area of a superblock. The rest of the area is ignored. */
export const SPACE_MAP_ROOT = new Layout('space_map_root', 32, {
  nrBlocks: 'u64',
  nrAllocated: 'u64',
  bitmapRoot: 'u64',
  refCountRoot: 'u64',
});

/** A space map's root in core. All are block numbers or counts of blocks. */
export interface SpaceMapRoot {
  readonly nrBlocks: number;
  /** Blocks with a count other than 0. */
  readonly nrAllocated: number;
  /** Of a data map: root of the index tree. Of a metadata map: the index block. */
  readonly bitmapRoot: number;
  readonly refCountRoot: number;
}

/** Reads the root at word offset `at`. Numbers beyond 2^53 come out rounded: check them against the device before use. */
export function readSpaceMapRoot(words: Uint32Array, at: number): SpaceMapRoot {
  const u64 = (index: number): number => words[at + 2 * index + 1]! * TWO_POW_32 + words[at + 2 * index]!;
  return { nrBlocks: u64(0), nrAllocated: u64(1), bitmapRoot: u64(2), refCountRoot: u64(3) };
}

/** Writes the root at word offset `at`. */
export function writeSpaceMapRoot(words: Uint32Array, at: number, root: SpaceMapRoot): void {
  [root.nrBlocks, root.nrAllocated, root.bitmapRoot, root.refCountRoot].forEach((value, index) => {
    words[at + 2 * index] = value >>> 0;
    words[at + 2 * index + 1] = value / TWO_POW_32;
  });
}
