import type { Slab } from '../base/index.ts';
import { forEachRun, type ValueType } from '../btree/index.ts';
import type { SpaceMap } from '../space-map/index.ts';

/** A mapping's value: where the data is, and when (on the pool's snapshot clock) it was put there. */
export interface BlockTime {
  /** 40 bits. */
  readonly dataBlock: number;
  /** 24 bits. */
  readonly time: number;
}

/** The largest data block number that a mapping can hold. */
export const MAX_DATA_BLOCK = 2 ** 40 - 1;
/** The largest time that a mapping can hold. */
export const MAX_TIME = 2 ** 24 - 1;

/** The data block of the mapping at byte offset `at`. */
export function dataBlockAt(slab: Slab, at: number): number {
  const word = at >>> 2;
  return slab.words[word + 1]! * 256 + (slab.words[word]! >>> 24);
}

/** The time of the mapping at byte offset `at`. */
export function timeAt(slab: Slab, at: number): number {
  return slab.words[at >>> 2]! & 0xff_ffff;
}

/** Writes a mapping at byte offset `at`. */
export function writeBlockTime(slab: Slab, at: number, dataBlock: number, time: number): void {
  const word = at >>> 2;
  slab.words[word] = (((dataBlock % 256) << 24) | time) >>> 0;
  slab.words[word + 1] = dataBlock / 256;
}

/** Mappings as values of a tree: each refers to its data block in `dataSpaceMap`. Two with one block and other times are equal. */
export function blockTimeType(dataSpaceMap: SpaceMap): ValueType<BlockTime> {
  return {
    name: 'block_time',
    size: 8,
    read: (slab, at) => ({ dataBlock: dataBlockAt(slab, at), time: timeAt(slab, at) }),
    write: (slab, at, value) => writeBlockTime(slab, at, value.dataBlock, value.time),
    inc: (slab, at, count) =>
      forEachRun(
        count,
        (i) => dataBlockAt(slab, at + 8 * i),
        (begin, end) => dataSpaceMap.incRange(begin, end),
      ),
    dec: (slab, at, count) =>
      forEachRun(
        count,
        (i) => dataBlockAt(slab, at + 8 * i),
        (begin, end) => dataSpaceMap.decRange(begin, end),
      ),
    equal: (slabA, atA, slabB, atB) => dataBlockAt(slabA, atA) === dataBlockAt(slabB, atB),
  };
}
