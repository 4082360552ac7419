import type { Slab } from '../base/index.ts';
import { METADATA_BLOCK_SIZE, SALT } from './constants.ts';
import { Layout } from './layout.ts';
import { blockValidator, type FieldProblem } from './validator.ts';

export const ARRAY_HEADER = new Layout('array_header', 24, {
  csum: 'u32',
  maxEntries: 'u32',
  nrEntries: 'u32',
  valueSize: 'u32',
  blocknr: 'u64',
});

const MAX_ENTRIES = ARRAY_HEADER.word('maxEntries');
const NR_ENTRIES = ARRAY_HEADER.word('nrEntries');
const VALUE_SIZE = ARRAY_HEADER.word('valueSize');

/** Values of `valueSize` bytes in an array block: 509 of 8 bytes, 1018 of 4. */
export function arrayEntriesFor(valueSize: number): number {
  return Math.floor((METADATA_BLOCK_SIZE - ARRAY_HEADER.size) / valueSize);
}

function arrayProblem(slab: Slab, base: number): FieldProblem | undefined {
  const { words } = slab;
  const maxEntries = words[base + MAX_ENTRIES]!;
  const nrEntries = words[base + NR_ENTRIES]!;
  const valueSize = words[base + VALUE_SIZE]!;
  if (ARRAY_HEADER.size + maxEntries * valueSize > METADATA_BLOCK_SIZE) {
    const wanted = `room for maxEntries ${maxEntries} of valueSize ${valueSize} in ${METADATA_BLOCK_SIZE} bytes`;
    return { field: 'maxEntries', found: maxEntries, wanted };
  }
  if (nrEntries > maxEntries) {
    return { field: 'nrEntries', found: nrEntries, wanted: `at most maxEntries ${maxEntries}` };
  }
  return undefined;
}

export const ARRAY_VALIDATOR = blockValidator({
  kind: 'array_block',
  salt: SALT.arrayBlock,
  blocknrWord: ARRAY_HEADER.word('blocknr'),
  checkFields: arrayProblem,
});

/** A block of an array, read and changed in place; moved from block to block like {@link NodeView}. */
export class ArrayBlockView {
  readonly slab: Slab;
  readonly words: Uint32Array;
  /** Word offset of the block's first word. */
  base: number;

  constructor(slab: Slab, base = 0) {
    this.slab = slab;
    this.words = slab.words;
    this.base = base;
  }

  get maxEntries(): number {
    return this.words[this.base + MAX_ENTRIES]!;
  }

  get nrEntries(): number {
    return this.words[this.base + NR_ENTRIES]!;
  }

  set nrEntries(count: number) {
    this.words[this.base + NR_ENTRIES] = count;
  }

  /** Bytes per value. */
  get valueSize(): number {
    return this.words[this.base + VALUE_SIZE]!;
  }

  /** Writes the header of a fresh block without entries. */
  setHeader(valueSize: number): void {
    this.words[this.base + MAX_ENTRIES] = arrayEntriesFor(valueSize);
    this.words[this.base + NR_ENTRIES] = 0;
    this.words[this.base + VALUE_SIZE] = valueSize;
  }

  /** Byte offset, in the slab, of value `index`. */
  valueAt(index: number): number {
    return this.base * 4 + ARRAY_HEADER.size + index * this.valueSize;
  }
}
