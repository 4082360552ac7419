import { CorruptionError, highHalf, joinKey, lowHalf, type U64 } from '../base/index.ts';
import type { Journal } from './journal.ts';
import type { RawArray } from './raw-array.ts';
import type { RawBitset } from './raw-bitset.ts';
import type { RawCollection } from './raw-collection.ts';
import type { RawTree } from './raw-tree.ts';

/**
 * The operations of the redo log. Each is one word, `opcode | argument << 8`, and what is listed; all that change a collection are about the
 * one that was selected last in the same record. Ids and counts are one word, keys and other u64 two (the lower first), values and texts are
 * filled up to whole words.
 */
export const OP = {
  /** Padding at a record's end. */
  none: 0,
  /** branch id, collection id */
  select: 1,
  /** one key for each level, value */
  put: 2,
  /** one key for each level */
  remove: 3,
  /** argument: number of keys, fewer than levels; those keys. Removes everything below. */
  removeBelow: 4,
  /** argument: keys of the begin | keys of the end << 4 (15: no end); those keys */
  removeRange: 5,
  /** index, value */
  setElement: 6,
  /** new length, value of new elements (of a bitset: one word, 0 or 1) */
  resize: 7,
  /** argument: the new value, 0 or 1; begin, end */
  setBits: 8,
  /** branch id, kind | levels << 8, value size, text of the name, text of the schema */
  createCollection: 9,
  /** branch id, collection id */
  deleteCollection: 10,
  /** branch id, flags, time in milliseconds (u64), text of the name */
  createSnapshot: 11,
  /** snapshot id */
  deleteSnapshot: 12,
  /** snapshot id that the head is made from */
  restore: 13,
} as const;

const ENCODER = new TextEncoder();

/** Writes operations behind each other into the journal's memory. When they are too many, they are dropped: see `Journal.overflowed`. */
export class RedoLog {
  readonly #journal: Journal;
  #selected: RawCollection | undefined;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /**
   * A record ends, operations were taken back, or one was about no collection: the next operation has to say anew what it is about. A replay
   * forgets at the same places.
   */
  forgetSelection(): void {
    this.#selected = undefined;
  }

  /** The context's keys and scratch value. */
  put(raw: RawTree): void {
    if (this.#selected !== raw) this.#select(raw);
    const { keyHigh, keyLow, scratch } = raw.context;
    const levels = keyHigh.length;
    const valueWords = scratch.words.length;
    const journal = this.#journal;
    let at = journal.append(1 + 2 * levels + valueWords);
    if (at < 0) return;
    const { words } = journal.slab;
    words[at++] = OP.put;
    for (let level = 0; level < levels; level++) {
      words[at++] = keyLow[level]!;
      words[at++] = keyHigh[level]!;
    }
    const value = scratch.words;
    for (let i = 0; i < valueWords; i++) words[at++] = value[i]!;
  }

  /** The context's keys. */
  remove(raw: RawTree): void {
    if (this.#selected !== raw) this.#select(raw);
    const { keyHigh, keyLow } = raw.context;
    const levels = keyHigh.length;
    let at = this.#journal.append(1 + 2 * levels);
    if (at < 0) return;
    const { words } = this.#journal.slab;
    words[at++] = OP.remove;
    for (let level = 0; level < levels; level++) {
      words[at++] = keyLow[level]!;
      words[at++] = keyHigh[level]!;
    }
  }

  removeBelow(raw: RawCollection, above: readonly U64[]): void {
    if (this.#selected !== raw) this.#select(raw);
    this.#words(OP.removeBelow | (above.length << 8), ...above.flatMap(halves));
  }

  removeRange(raw: RawCollection, begin: readonly U64[], end: readonly U64[] | undefined): void {
    if (this.#selected !== raw) this.#select(raw);
    const counts = begin.length | ((end?.length ?? 15) << 4);
    this.#words(OP.removeRange | (counts << 8), ...begin.flatMap(halves), ...(end ?? []).flatMap(halves));
  }

  /** @param value - As words. */
  setElement(raw: RawCollection, index: number, value: Uint32Array): void {
    if (this.#selected !== raw) this.#select(raw);
    const at = this.#journal.append(3 + value.length);
    if (at < 0) return;
    const { words } = this.#journal.slab;
    words[at] = OP.setElement;
    words[at + 1] = lowHalf(index);
    words[at + 2] = highHalf(index);
    words.set(value, at + 3);
  }

  resize(raw: RawArray | RawBitset, length: number, value: Uint32Array): void {
    if (!this.#journal.grow(raw.grownBlocks(length))) this.#journal.overflow();
    if (this.#selected !== raw) this.#select(raw);
    this.#words(OP.resize, ...halves(length), ...value);
  }

  setBits(raw: RawCollection, value: boolean, begin: number, end: number): void {
    if (this.#selected !== raw) this.#select(raw);
    this.#words(OP.setBits | (value ? 1 << 8 : 0), ...halves(begin), ...halves(end));
  }

  createCollection(
    branchId: number,
    shape: { readonly kind: number; readonly levels: number; readonly valueSize: number },
    name: string,
    schema: string,
  ): void {
    const { kind, levels, valueSize } = shape;
    this.#words(OP.createCollection, branchId, kind | (levels << 8), valueSize, ...text(name), ...text(schema));
    this.forgetSelection();
  }

  deleteCollection(branchId: number, id: number): void {
    this.#words(OP.deleteCollection, branchId, id);
    this.forgetSelection();
  }

  createSnapshot(branchId: number, flags: number, createdMs: number, name: string): void {
    this.#words(OP.createSnapshot, branchId, flags, ...halves(createdMs), ...text(name));
    this.forgetSelection();
  }

  deleteSnapshot(id: number): void {
    this.#words(OP.deleteSnapshot, id);
    this.forgetSelection();
  }

  restore(id: number): void {
    this.#words(OP.restore, id);
    this.forgetSelection();
  }

  #select(raw: RawCollection): void {
    this.#words(OP.select, raw.branchId, raw.id);
    this.#selected = raw;
  }

  #words(...list: number[]): void {
    const at = this.#journal.append(list.length);
    if (at >= 0) this.#journal.slab.words.set(list, at);
  }
}

function halves(value: U64): [number, number] {
  return [lowHalf(value), highHalf(value)];
}

/** A text as words: its length in bytes, then its bytes. */
function text(value: string): number[] {
  const bytes = ENCODER.encode(value);
  const words = new Uint32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes);
  return [bytes.length, ...words];
}

/** Reads operations out of a piece of the journal's memory, and nothing beyond it. */
export class RedoReader {
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  /** @param from - Word offsets. */
  constructor(slab: { readonly words: Uint32Array; readonly bytes: Uint8Array }, from: number, to: number) {
    this.words = slab.words;
    this.bytes = slab.bytes;
    this.at = from;
    this.end = to;
  }

  word(): number {
    return this.words[this.#skip(1)]!;
  }

  u64(): U64 {
    const low = this.word();
    return joinKey(this.word(), low);
  }

  keys(count: number): U64[] {
    return Array.from({ length: count }, () => this.u64());
  }

  /** Fills `target`, which is a number of words long. */
  value(target: Uint32Array): void {
    const at = this.#skip(target.length);
    target.set(this.words.subarray(at, at + target.length));
  }

  text(): string {
    const length = this.word();
    const begin = this.#skip(Math.ceil(length / 4)) * 4;
    return new TextDecoder().decode(this.bytes.subarray(begin, begin + length));
  }

  /** Goes over so many words; answers where they begin. @throws {CorruptionError} when the record ends before them. */
  #skip(nrWords: number): number {
    const { at } = this;
    if (nrWords > this.end - at) {
      const message = 'Cannot replay the journal: a record ends within an operation';
      throw new CorruptionError(message, { kind: 'journal_record' });
    }
    this.at = at + nrWords;
    return at;
  }
}
