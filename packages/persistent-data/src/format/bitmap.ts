import type { Slab } from '../base/index.ts';
import { SALT } from './constants.ts';
import { Layout } from './layout.ts';
import { blockValidator } from './validator.ts';

export const BITMAP_HEADER = new Layout('bitmap_header', 16, {
  csum: 'u32',
  unused: 'u32',
  blocknr: 'u64',
});

export const BITMAP_VALIDATOR = blockValidator({
  kind: 'bitmap',
  salt: SALT.bitmap,
  blocknrWord: BITMAP_HEADER.word('blocknr'),
});

const ENTRIES = BITMAP_HEADER.size / 4;

/**
 * An entry's two bits come in an odd order: the lower bit of the pair has weight 2 and the upper bit weight 1. So a raw field of
 * 2 says count 1 and a raw field of 1 says count 2. Both ways round it is the same table.
 */
const SWAPPED = [0, 2, 1, 3] as const;

/** A bitmap field that says: three or more, look into the reference-count tree. */
export const COUNT_OVERFLOW = 3;

/** The count field (0 to 2, or {@link COUNT_OVERFLOW}) of entry `bit` in the bitmap block at word offset `base`. */
export function bitmapCount(words: Uint32Array, base: number, bit: number): number {
  return SWAPPED[(words[base + ENTRIES + (bit >>> 4)]! >>> ((bit & 15) * 2)) & 3]!;
}

export function setBitmapCount(words: Uint32Array, base: number, bit: number, count: number): void {
  const word = base + ENTRIES + (bit >>> 4);
  const shift = (bit & 15) * 2;
  words[word] = (words[word]! & ~(3 << shift)) | (SWAPPED[count]! << shift);
}

/**
 * Sixteen entries as a mask: bit 2i is set where entry i is not free. A word of all-used entries gives 0x55555555.
 */
export function bitmapUsedMask(words: Uint32Array, base: number, wordIndex: number): number {
  const word = words[base + ENTRIES + wordIndex]!;
  return (word | (word >>> 1)) & 0x5555_5555;
}

/** For people: a failing test prints this. */
export function bitmapToString(slab: Slab, base: number, count: number): string {
  return Array.from({ length: count }, (_, bit) => bitmapCount(slab.words, base, bit)).join('');
}
