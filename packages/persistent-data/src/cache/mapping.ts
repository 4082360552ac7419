import { type Slab, TWO_POW_32 } from '../base/index.ts';
import type { ValueType } from '../btree/index.ts';
import { CACHE_MAPPING_DIRTY, CACHE_MAPPING_VALID } from '../format/index.ts';

/** Origin blocks have 48 bits. */
export const MAX_ORIGIN_BLOCK = 2 ** 48 - 1;

/** An entry of the mapping array. */
export interface CacheEntry {
  /** 0 where nothing is mapped. */
  readonly originBlock: number;
  /** `CACHE_MAPPING_VALID`, and in version 1 `CACHE_MAPPING_DIRTY`. */
  readonly flags: number;
}

/** Nothing is mapped. */
export const UNMAPPED: CacheEntry = { originBlock: 0, flags: 0 };

/** The origin block of the entry at word `at`: the upper 48 bits. */
export function originAt(words: Uint32Array, at: number): number {
  return words[at + 1]! * 65_536 + (words[at]! >>> 16);
}

/** The flags of the entry at word `at`: the lower 16 bits. */
export function flagsAt(words: Uint32Array, at: number): number {
  return words[at]! & 0xffff;
}

export function isValidAt(words: Uint32Array, at: number): boolean {
  return (words[at]! & CACHE_MAPPING_VALID) !== 0;
}

/** Writes an entry at word `at`. */
export function writeEntry(words: Uint32Array, at: number, originBlock: number, flags: number): void {
  words[at] = ((originBlock % 65_536) * 65_536 + flags) >>> 0;
  words[at + 1] = Math.floor(originBlock / 65_536) % TWO_POW_32;
}

/** The elements of the mapping array. */
export const CACHE_ENTRY: ValueType<CacheEntry> = {
  name: 'cache mapping',
  size: 8,
  read: ({ words }: Slab, at) => ({ originBlock: originAt(words, at >>> 2), flags: flagsAt(words, at >>> 2) }),
  write: ({ words }: Slab, at, { originBlock, flags }) => writeEntry(words, at >>> 2, originBlock, flags),
};

/** Whether version 1 calls the entry dirty. */
export function isDirtyEntry(flags: number): boolean {
  return (flags & (CACHE_MAPPING_VALID | CACHE_MAPPING_DIRTY)) === (CACHE_MAPPING_VALID | CACHE_MAPPING_DIRTY);
}
