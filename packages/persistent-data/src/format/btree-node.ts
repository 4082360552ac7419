import { assert, type Slab, TWO_POW_32 } from '../base/index.ts';
import { METADATA_BLOCK_SIZE, SALT } from './constants.ts';
import { Layout } from './layout.ts';
import { blockValidator, type FieldProblem } from './validator.ts';

export const NODE_HEADER = new Layout('node_header', 32, {
  csum: 'u32',
  flags: 'u32',
  blocknr: 'u64',
  nrEntries: 'u32',
  maxEntries: 'u32',
  valueSize: 'u32',
  padding: 'u32',
});

export const NODE_FLAG_INTERNAL = 1;
export const NODE_FLAG_LEAF = 2;

const FLAGS = NODE_HEADER.word('flags');
const BLOCKNR = NODE_HEADER.word('blocknr');
const NR_ENTRIES = NODE_HEADER.word('nrEntries');
const MAX_ENTRIES = NODE_HEADER.word('maxEntries');
const VALUE_SIZE = NODE_HEADER.word('valueSize');
const KEYS = NODE_HEADER.size / 4;
const KEY_SIZE = 8;

/**
 * The most entries that a node with values of `valueSize` bytes holds: a multiple of three, so that a third is exact.
 * 252 for 8-byte values and for all internal nodes.
 */
export function maxEntriesFor(valueSize: number): number {
  return 3 * Math.floor((METADATA_BLOCK_SIZE - NODE_HEADER.size) / (KEY_SIZE + valueSize) / 3);
}

/** The largest value a btree can hold, in bytes: three entries have to fit into a node. */
export const MAX_VALUE_SIZE = Math.floor((METADATA_BLOCK_SIZE - NODE_HEADER.size) / 3) - KEY_SIZE;

export const INTERNAL_MAX_ENTRIES = maxEntriesFor(8);

function nodeProblem(slab: Slab, base: number): FieldProblem | undefined {
  const { words } = slab;
  const flags = words[base + FLAGS]!;
  const nrEntries = words[base + NR_ENTRIES]!;
  const maxEntries = words[base + MAX_ENTRIES]!;
  const valueSize = words[base + VALUE_SIZE]!;
  // Geometry first: no sum below can leave 2^53, and views may use the fields without a thought.
  if (NODE_HEADER.size + maxEntries * (KEY_SIZE + valueSize) > METADATA_BLOCK_SIZE) {
    const wanted = `room for maxEntries ${maxEntries} of valueSize ${valueSize} in ${METADATA_BLOCK_SIZE} bytes`;
    return { field: 'maxEntries', found: maxEntries, wanted };
  }
  if (nrEntries > maxEntries) {
    return { field: 'nrEntries', found: nrEntries, wanted: `at most maxEntries ${maxEntries}` };
  }
  if (flags !== NODE_FLAG_INTERNAL && flags !== NODE_FLAG_LEAF) {
    return { field: 'flags', found: flags, wanted: '1 (internal) or 2 (leaf)' };
  }
  if (flags === NODE_FLAG_INTERNAL && valueSize !== 8) {
    return { field: 'valueSize', found: valueSize, wanted: '8 in an internal node' };
  }
  if (flags === NODE_FLAG_INTERNAL && nrEntries === 0) {
    return { field: 'nrEntries', found: nrEntries, wanted: 'at least 1 in an internal node' };
  }
  return undefined;
}

/** How far from the interpolated place to look before halving: the keys of one cache line. */
const NEAR = 8;

/**
 * {@link NodeView.lowerBound} where all upper halves agree. Begins at the place where the key would be if keys were spread evenly: in dense and
 * in random trees it is within a cache line of there, which saves most of the misses of a binary search.
 */
function lowerBoundOfHalf(words: Uint32Array, keys: number, last: number, low: number): number {
  const first = words[keys]!;
  const final = words[keys + 2 * last]!;
  if (low < first) return -1;
  if (low >= final) return last;
  // From here on: key[begin] <= wanted < key[end].
  let begin = 0;
  let end = last;
  const guess = (((low - first) / (final - first)) * last) | 0;
  if (words[keys + 2 * guess]! <= low) {
    begin = guess;
    const near = guess + NEAR;
    if (near < end) {
      if (words[keys + 2 * near]! > low) end = near;
      else begin = near;
    }
  } else {
    end = guess;
    const near = guess - NEAR;
    if (near > begin) {
      if (words[keys + 2 * near]! <= low) begin = near;
      else end = near;
    }
  }
  while (end - begin > 1) {
    const middle = (begin + end) >>> 1;
    if (words[keys + 2 * middle]! <= low) begin = middle;
    else end = middle;
  }
  return begin;
}

export const NODE_VALIDATOR = blockValidator({
  kind: 'btree_node',
  salt: SALT.btreeNode,
  blocknrWord: BLOCKNR,
  checkFields: nodeProblem,
});

/**
 * A btree node, read and changed in place. One view is moved from node to node; `base` is the word offset of the node in the slab.
 * Valid while the block stays locked, or until the next call of the block manager.
 *
 * Nothing is ever cleared: moving entries leaves the old ones behind, as the kernel does (docs/format.md, "Unused entries").
 */
export class NodeView {
  readonly slab: Slab;
  readonly words: Uint32Array;
  /** Word offset of the node's first word. */
  base: number;

  constructor(slab: Slab, base = 0) {
    this.slab = slab;
    this.words = slab.words;
    this.base = base;
  }

  get isLeaf(): boolean {
    return this.words[this.base + FLAGS] === NODE_FLAG_LEAF;
  }

  get nrEntries(): number {
    return this.words[this.base + NR_ENTRIES]!;
  }

  set nrEntries(count: number) {
    assert(count >= 0 && count <= this.maxEntries, 'a node holds 0 to maxEntries entries');
    this.words[this.base + NR_ENTRIES] = count;
  }

  get maxEntries(): number {
    return this.words[this.base + MAX_ENTRIES]!;
  }

  /** Bytes per value. */
  get valueSize(): number {
    return this.words[this.base + VALUE_SIZE]!;
  }

  /** Writes the header of a fresh node or of one that changes its kind. The entries are the caller's affair. */
  setHeader(flags: number, nrEntries: number, valueSize: number): void {
    const { words, base } = this;
    words[base + FLAGS] = flags;
    words[base + NR_ENTRIES] = nrEntries;
    words[base + MAX_ENTRIES] = maxEntriesFor(valueSize);
    words[base + VALUE_SIZE] = valueSize;
  }

  /** Gives this fresh node the kind and geometry of `other`, with no entries. */
  copyGeometry(other: NodeView): void {
    const { words, base } = this;
    words[base + FLAGS] = words[other.base + FLAGS]!;
    words[base + NR_ENTRIES] = 0;
    words[base + MAX_ENTRIES] = other.maxEntries;
    words[base + VALUE_SIZE] = other.valueSize;
  }

  keyHigh(index: number): number {
    return this.words[this.base + KEYS + 2 * index + 1]!;
  }

  keyLow(index: number): number {
    return this.words[this.base + KEYS + 2 * index]!;
  }

  /** The key as a number: exact up to 2^53 - 1, for trees whose keys are indexes or block numbers. */
  keyAt(index: number): number {
    const word = this.base + KEYS + 2 * index;
    return this.words[word + 1]! * TWO_POW_32 + this.words[word]!;
  }

  setKey(index: number, high: number, low: number): void {
    const word = this.base + KEYS + 2 * index;
    this.words[word] = low;
    this.words[word + 1] = high;
  }

  /** Byte offset, in the slab, of value `index`. */
  valueAt(index: number): number {
    const { words, base } = this;
    return base * 4 + NODE_HEADER.size + words[base + MAX_ENTRIES]! * KEY_SIZE + index * words[base + VALUE_SIZE]!;
  }

  /** A value of 8 bytes as a block number. A number beyond 2^53 comes out rounded, and beyond the device's end. */
  childAt(index: number): number {
    const word = this.valueAt(index) >>> 2;
    return this.words[word + 1]! * TWO_POW_32 + this.words[word]!;
  }

  setChild(index: number, block: number): void {
    const word = this.valueAt(index) >>> 2;
    this.words[word] = block >>> 0;
    this.words[word + 1] = block / TWO_POW_32;
  }

  /** Opens a gap at `index` and sets the key there; the value's bytes are the caller's to write. Entries behind move up. */
  openGap(index: number, high: number, low: number): void {
    const { nrEntries, maxEntries } = this;
    assert(nrEntries < maxEntries, 'there is room in the node');
    assert(index <= nrEntries, 'the gap adjoins the entries');
    this.#moveWithin(index, index + 1, nrEntries - index);
    this.words[this.base + NR_ENTRIES] = nrEntries + 1;
    this.setKey(index, high, low);
  }

  /** Deletes entry `index`; entries behind move down, the old last one stays behind. */
  deleteAt(index: number): void {
    const { nrEntries } = this;
    assert(index < nrEntries, 'the entry exists');
    this.#moveWithin(index + 1, index, nrEntries - index - 1);
    this.words[this.base + NR_ENTRIES] = nrEntries - 1;
  }

  /** Copies entries of another node over this one's, keys and values. Counts are the caller's to set. */
  copyEntries(at: number, from: NodeView, fromIndex: number, count: number): void {
    if (count === 0) return;
    assert(this.valueSize === from.valueSize, 'both nodes hold values of one size');
    assert(at + count <= this.maxEntries, 'the entries fit');
    const { bytes, words } = this.slab;
    const fromKeys = from.base + KEYS + 2 * fromIndex;
    words.copyWithin(this.base + KEYS + 2 * at, fromKeys, fromKeys + 2 * count);
    bytes.copyWithin(this.valueAt(at), from.valueAt(fromIndex), from.valueAt(fromIndex + count));
  }

  /** Moves entries inside the node. */
  moveEntries(from: number, to: number, count: number): void {
    assert(to + count <= this.maxEntries, 'the entries fit');
    this.#moveWithin(from, to, count);
  }

  #moveWithin(from: number, to: number, count: number): void {
    if (count === 0) return;
    const { words, bytes } = this.slab;
    const keys = this.base + KEYS;
    words.copyWithin(keys + 2 * to, keys + 2 * from, keys + 2 * (from + count));
    bytes.copyWithin(this.valueAt(to), this.valueAt(from), this.valueAt(from + count));
  }

  /** The largest index whose key is at most the wanted one, or -1. */
  lowerBound(high: number, low: number): number {
    const { words } = this;
    const keys = this.base + KEYS;
    const last = words[this.base + NR_ENTRIES]! - 1;
    if (last < 0) return -1;
    // When the first and the last key agree with the wanted one in their upper halves, so do all between: compare lower halves only.
    if (words[keys + 1] === high && words[keys + 2 * last + 1] === high)
      return lowerBoundOfHalf(words, keys, last, low);
    let begin = -1;
    let end = last + 1;
    while (end - begin > 1) {
      const middle = (begin + end) >>> 1;
      const middleHigh = words[keys + 2 * middle + 1]!;
      if (middleHigh < high || (middleHigh === high && words[keys + 2 * middle]! <= low)) begin = middle;
      else end = middle;
    }
    return begin;
  }

  /**
   * As {@link lowerBound}, for a node of which is known, from its parent, that all keys have the wanted one's upper half, and lower halves from `first`
   * up to `final`, not included. Looks at neither its first nor its last key. Where that is not true, any index of the node or -1 comes out.
   */
  lowerBoundBetween(low: number, first: number, final: number): number {
    const { words } = this;
    const keys = this.base + KEYS;
    const nrEntries = words[this.base + NR_ENTRIES]!;
    if (nrEntries === 0) return -1;
    // Not a number, or beyond the end, when the parent is wrong.
    const guess = Math.min((((low - first) / (final - first)) * nrEntries) >>> 0, nrEntries - 1);
    let begin = -1;
    let end = nrEntries;
    // From here on: key[begin] <= wanted < key[end], as far as there are such keys.
    if (words[keys + 2 * guess]! <= low) {
      begin = guess;
      for (let near = guess + NEAR, step = NEAR; near < end; step *= 2, near += step) {
        if (words[keys + 2 * near]! <= low) begin = near;
        else end = near;
      }
    } else {
      end = guess;
      for (let near = guess - NEAR, step = NEAR; near > begin; step *= 2, near -= step) {
        if (words[keys + 2 * near]! > low) end = near;
        else begin = near;
      }
    }
    while (end - begin > 1) {
      const middle = (begin + end) >>> 1;
      if (words[keys + 2 * middle]! <= low) begin = middle;
      else end = middle;
    }
    return begin;
  }

  /** Whether entry `index` has exactly this key. */
  hasKey(index: number, high: number, low: number): boolean {
    const word = this.base + KEYS + 2 * index;
    return this.words[word] === low && this.words[word + 1] === high;
  }

  /** For people: a failing test prints this. */
  toString(): string {
    const shown = Math.min(this.nrEntries, 8);
    const keys = Array.from({ length: shown }, (_, i) => this.keyAt(i)).join(' ');
    const kind = this.isLeaf ? 'leaf' : 'internal';
    return `${kind} ${this.nrEntries}/${this.maxEntries} of ${this.valueSize} bytes: ${keys}${shown < this.nrEntries ? ' …' : ''}`;
  }
}
