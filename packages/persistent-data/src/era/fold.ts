import { arrayEntriesFor } from '../format/index.ts';
import type { ArrayReader } from './array-reader.ts';
import type { EraImage, EraWriteset } from './image.ts';

/** Gets the eras of blocks `begin..begin + count`: `eras[0]` is that of `begin`. Good during the call. */
export type ErasVisitor = (eras: Uint32Array, begin: number, count: number) => void;

/** How to fold. */
export interface FoldOptions {
  /** Does as if no block had an era in the era array, which is not read. Default false. */
  readonly withoutArray?: boolean;
  /** Called after each piece. */
  readonly tell?: () => void;
}

/**
 * What each block's era is: the highest of a writeset that has its bit, else what the era array says. In order, in pieces of an array block. Takes one
 * batch of blocks for each writeset.
 *
 * @param writesets - By era.
 */
export function foldEras(
  image: EraImage,
  writesets: readonly EraWriteset[],
  visit: ErasVisitor,
  { withoutArray = false, tell }: FoldOptions = {},
): void {
  const array = withoutArray ? undefined : image.readEras();
  const { nrBlocks } = image.superblock;
  const layers = writesets.map((writeset) => {
    return { era: writeset.era, reader: image.readBits(writeset), nrBits: Math.min(writeset.nrBits, nrBlocks) };
  });
  const eras = new Uint32Array(arrayEntriesFor(4));
  for (let begin = 0; begin < nrBlocks; begin += eras.length) {
    const count = Math.min(eras.length, nrBlocks - begin);
    const at = array?.load(begin / eras.length) ?? 0;
    if (array === undefined) eras.fill(0);
    else eras.set(array.words.subarray(at, at + count));
    for (const { era, reader, nrBits } of layers) {
      overlay(eras, era, { reader, begin, end: Math.min(begin + count, nrBits) });
    }
    visit(eras, begin, count);
    tell?.();
  }
}

/** Writes `era` into the places of the blocks `begin..end` whose bits are set. */
function overlay(
  eras: Uint32Array,
  era: number,
  { reader, begin, end }: { readonly reader: ArrayReader; readonly begin: number; readonly end: number },
): void {
  const bitsPerBlock = 64 * reader.perBlock;
  for (let from = begin; from < end; ) {
    const index = Math.floor(from / bitsPerBlock);
    const first = index * bitsPerBlock;
    const to = Math.min(end, first + bitsPerBlock);
    const at = reader.load(index);
    for (let bit = from - first; bit < to - first; ) {
      const word = reader.words[at + (bit >>> 5)]! >>> (bit & 31);
      if (word === 0) {
        bit = (bit | 31) + 1;
        continue;
      }
      bit += 31 - Math.clz32(word & -word);
      if (bit < to - first) eras[first + bit - begin] = era;
      bit++;
    }
    from = to;
  }
}
