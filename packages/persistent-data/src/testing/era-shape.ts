import { EraRestore } from '../era/index.ts';
import type { BlockDevice } from '../io/index.ts';
import type { Random } from './random.ts';

/** Era metadata to be made. */
export interface EraShape {
  /** 512-byte sectors. Default 128. */
  readonly blockSize?: number;
  readonly nrBlocks: number;
  /** Eras that are archived and not digested. The current era is the last of them. */
  readonly nrWritesets: number;
  /** Eras that are digested. Default 4. */
  readonly nrDigested?: number;
  /** Share of the blocks that were written in each era, 0 to 1. Default 0.1. */
  readonly share?: number;
  /** Mean length of a run of written blocks. Default 8. */
  readonly runLength?: number;
}

/** Bits of one piece: an array block of a bitset. */
const PIECE = 509 * 64;
const ERAS = 1018;

/** Writes era metadata of a given shape onto a device. The same seed gives the same metadata. O(blocks × writesets), constant memory. */
export function generateEra(device: BlockDevice, shape: EraShape, random: Random): void {
  const { blockSize = 128, nrBlocks, nrWritesets, nrDigested = 4, share = 0.1, runLength = 8 } = shape;
  const restore = new EraRestore(device);
  restore.superblockBegin({ uuid: '', blockSize, nrBlocks, currentEra: nrDigested + nrWritesets });
  const words = new Uint32Array(PIECE / 32);
  // A run begins with this chance, and goes on with the other.
  const begins = share >= 1 ? 1 : share / (runLength * (1 - share) + share);
  for (let era = nrDigested + 1; era <= nrDigested + nrWritesets; era++) {
    restore.writesetBegin(era, nrBlocks);
    let isSet = false;
    for (let begin = 0; begin < nrBlocks; begin += PIECE) {
      const end = Math.min(nrBlocks, begin + PIECE);
      words.fill(0);
      for (let bit = 0; bit < end - begin; bit++) {
        isSet = random.chance(isSet ? 1 - 1 / runLength : begins);
        if (isSet) words[bit >>> 5]! |= 1 << (bit & 31);
      }
      restore.bits(words, 0, begin, end);
    }
    restore.writesetEnd();
  }
  const eras = new Uint32Array(ERAS);
  restore.eraArrayBegin();
  for (let begin = 0; begin < nrBlocks; begin += ERAS) {
    const count = Math.min(ERAS, nrBlocks - begin);
    for (let i = 0; i < count; i++) eras[i] = random.below(nrDigested + 1);
    restore.eras(eras, 0, begin, count);
  }
  restore.eraArrayEnd();
  restore.superblockEnd();
}
