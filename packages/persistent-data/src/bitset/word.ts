import type { ValueType } from '../btree/index.ts';

/** Bits in a word. */
export const BITS_PER_WORD = 64;

/** A word of a bitset: what its array holds. Bit i of the set is bit i mod 64 of word floor(i / 64). */
export const BITSET_WORD: ValueType<bigint> = {
  name: 'u64',
  size: 8,
  read: (slab, at) => (BigInt(slab.words[(at >>> 2) + 1]!) << 32n) | BigInt(slab.words[at >>> 2]!),
  write: (slab, at, value) => {
    slab.words[at >>> 2] = Number(value & 0xffff_ffffn);
    slab.words[(at >>> 2) + 1] = Number(value >> 32n);
  },
};

export const NO_BITS = 0n;
export const ALL_BITS = 0xffff_ffff_ffff_ffffn;

/** Words that hold `nrBits` bits. */
export function wordsFor(nrBits: number): number {
  return Math.ceil(nrBits / BITS_PER_WORD);
}

/** Ones among 32 bits. */
export function popcount(half: number): number {
  let n = half - ((half >>> 1) & 0x5555_5555);
  n = (n & 0x3333_3333) + ((n >>> 2) & 0x3333_3333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/** The ones of a 32-bit half from bit `begin` up to bit `end`, not included; 0 to 32. */
export function maskOf(begin: number, end: number): number {
  if (end <= begin) return 0;
  const below = end >= 32 ? 0xffff_ffff : (1 << end) - 1;
  return (below & (0xffff_ffff << begin)) >>> 0;
}
