import { Slab } from '../base/index.ts';

const MIN_CAPACITY = 256;
/** Entries in order are merged when they are so many: more would not cost less, and these are still near the processor. */
const ENOUGH_IN_ORDER = 8192;
/** Keys are sorted by so many bits at a time: 2048 counters, 8 KiB, stay in the processor's nearest cache. */
const DIGIT_BITS = 11;
const DIGIT_MASK = (1 << DIGIT_BITS) - 1;

/**
 * Entries of a tree that wait to be merged into it: keys and values in the order in which they came, and, once {@link putInOrder} was called, the order of
 * their keys. Of entries with one key the last counts.
 *
 * A value is written at {@link end} of {@link values}, then {@link push} makes it an entry. 16 bytes and the value for each, in memory that grows by doubling.
 */
export class PutBuffer {
  /** Keys as in a node, low half first. */
  keys: Uint32Array;
  /** Values, one after the other. */
  values: Slab;
  /** After {@link putInOrder}: where the entries are in {@link keys}, in rising order of keys that differ. */
  order: Uint32Array;
  /** Entries; after {@link putInOrder} those whose keys differ. */
  count = 0;
  /** Byte offset in {@link values} of the next entry's value. */
  end = 0;
  /** Entries that it is meant for. */
  most = Number.POSITIVE_INFINITY;
  /** Whether entry i of the order is entry i of the keys, for all of them. */
  isPlain = true;
  readonly valueSize: number;
  #capacity = MIN_CAPACITY;
  #spare: Uint32Array;
  readonly #counters = new Uint32Array(1 << DIGIT_BITS);
  /** Bits in which some keys differ from the first. */
  #lowBits = 0;
  #highBits = 0;

  constructor(valueSize: number) {
    this.valueSize = valueSize;
    this.keys = new Uint32Array(2 * MIN_CAPACITY);
    this.values = valuesFor(MIN_CAPACITY, valueSize);
    this.order = new Uint32Array(MIN_CAPACITY);
    this.#spare = new Uint32Array(MIN_CAPACITY);
  }

  /** Bytes that an entry takes in memory. */
  static bytesPerEntry(valueSize: number): number {
    return 16 + valueSize;
  }

  /** Whether it has as many entries as it is meant for, or enough that came in order. */
  get isFull(): boolean {
    return this.count >= this.most || (this.isPlain && this.count >= ENOUGH_IN_ORDER);
  }

  /** Makes an entry of the value at {@link end}. */
  push(high: number, low: number): void {
    const at = 2 * this.count;
    const { keys } = this;
    keys[at] = low;
    keys[at + 1] = high;
    if (at > 0) {
      const lastHigh = keys[at - 1]!;
      if (high < lastHigh || (high === lastHigh && low <= keys[at - 2]!)) this.isPlain = false;
      this.#lowBits |= low ^ keys[0]!;
      this.#highBits |= high ^ keys[1]!;
    }
    this.end += this.valueSize;
    if (++this.count === this.#capacity) this.#grow();
  }

  clear(): void {
    this.count = 0;
    this.end = 0;
    this.isPlain = true;
    this.#lowBits = 0;
    this.#highBits = 0;
  }

  /**
   * Puts the entries in order of their keys; those that came in order cost next to nothing, others 15 to 20 ns each (bench: `kv`, random insert).
   *
   * @param drop - Called with the byte offset of a value that a later one of the same key replaces, and of that one.
   */
  putInOrder(drop?: (at: number, by: number) => void): void {
    const { order, count } = this;
    for (let i = 0; i < count; i++) order[i] = i;
    if (this.isPlain) return;
    for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
      if (((this.#lowBits >>> shift) & DIGIT_MASK) !== 0) this.#sortBy(0, shift);
    }
    for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
      if (((this.#highBits >>> shift) & DIGIT_MASK) !== 0) this.#sortBy(1, shift);
    }
    this.#dropEqual(drop);
  }

  /** One pass of a radix sort; it keeps the order of those whose digits are the same. */
  #sortBy(half: 0 | 1, shift: number): void {
    const { keys, order, count } = this;
    const counters = this.#counters.fill(0);
    for (let i = 0; i < count; i++) counters[(keys[2 * i + half]! >>> shift) & DIGIT_MASK]!++;
    let sum = 0;
    for (let digit = 0; digit <= DIGIT_MASK; digit++) {
      const nr = counters[digit]!;
      counters[digit] = sum;
      sum += nr;
    }
    const to = this.#spare;
    for (let i = 0; i < count; i++) {
      const entry = order[i]!;
      to[counters[(keys[2 * entry + half]! >>> shift) & DIGIT_MASK]!++] = entry;
    }
    this.#spare = order;
    this.order = to;
  }

  #dropEqual(drop: ((at: number, by: number) => void) | undefined): void {
    const { keys, order, count, valueSize } = this;
    let to = 0;
    for (let i = 0; i < count; i++) {
      const entry = order[i]!;
      const next = order[i + 1]!;
      if (i + 1 < count && keys[2 * entry] === keys[2 * next] && keys[2 * entry + 1] === keys[2 * next + 1])
        drop?.(entry * valueSize, next * valueSize);
      else order[to++] = entry;
    }
    this.count = to;
  }

  #grow(): void {
    this.#capacity *= 2;
    const keys = new Uint32Array(2 * this.#capacity);
    keys.set(this.keys);
    const values = valuesFor(this.#capacity, this.valueSize);
    values.bytes.set(this.values.bytes);
    this.keys = keys;
    this.values = values;
    this.order = new Uint32Array(this.#capacity);
    this.#spare = new Uint32Array(this.#capacity);
  }
}

function valuesFor(capacity: number, valueSize: number): Slab {
  return Slab.ofSize((capacity * valueSize + 3) & ~3);
}
