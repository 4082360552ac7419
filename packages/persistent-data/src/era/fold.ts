import type { ArrayReader } from './array-reader.ts';
import type { EraImage, EraWriteset } from './image.ts';

/** Gets the eras of blocks `begin..begin + count`: `eras[0]` is that of `begin`. Good during the call. */
export type ErasVisitor = (eras: Uint32Array, begin: number, count: number) => void;

/**
 * What each block's era is: the highest of a writeset that has its bit, else what the era array says. In order, in pieces of an array block. Takes one
 * batch of blocks for each writeset.
 *
 * @param writesets - By era.
 * @param tell - Called after each piece.
 */
export function foldEras(
  image: EraImage,
  writesets: readonly EraWriteset[],
  visit: ErasVisitor,
  tell: () => void = () => undefined,
): void {
  const array = image.readEras();
  const { nrBlocks } = image.superblock;
  const layers = writesets.map((writeset) => {
    return { era: writeset.era, reader: image.readBits(writeset), nrBits: Math.min(writeset.nrBits, nrBlocks) };
  });
  const eras = new Uint32Array(array.perBlock);
  for (let i = 0; i < array.nrBlocks; i++) {
    const at = array.load(i);
    const begin = i * array.perBlock;
    const count = array.nrElements(i);
    eras.set(array.words.subarray(at, at + count));
    for (const { era, reader, nrBits } of layers) {
      overlay(eras, era, { reader, begin, end: Math.min(begin + count, nrBits) });
    }
    visit(eras, begin, count);
    tell();
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
