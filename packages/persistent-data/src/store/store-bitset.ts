import type { Handle } from './handle.ts';
import type { RawBitset } from './raw-bitset.ts';

/**
 * A set of bits in a store, of a fixed length that can be changed. Changes belong to the running transaction; outside one each change is a
 * transaction of its own.
 */
export class StoreBitset {
  readonly name: string;
  readonly #handle: Handle<RawBitset>;

  constructor(handle: Handle<RawBitset>) {
    this.#handle = handle;
    this.name = handle.place.name;
  }

  /** Bits. O(1). */
  get length(): number {
    return this.#handle.current('count').length;
  }

  /** Whether a bit is set. @throws {RangeError} when there is no such bit. */
  get(index: number): boolean {
    return this.#read(index, index + 1, (raw) => raw.bits.test(index));
  }

  /** Sets a bit, or clears it with `value` false. @throws {RangeError} when there is no such bit. */
  set(index: number, value = true): void {
    this.setRange(index, index + 1, value);
  }

  /** Sets the bits from `begin` up to `end`, not included, or clears them with `value` false. */
  setRange(begin: number, end: number, value = true): void {
    const handle = this.#handle;
    const { engine } = handle;
    let { raw } = handle;
    if (handle.stamp !== engine.stamp || !engine.isReady(raw)) raw = handle.writable();
    this.#checkRange(raw, begin, end);
    if (begin === end) return;
    engine.log.setBits(raw, value, begin, end);
    try {
      raw.setBits(value, begin, end);
    } catch (error) {
      throw engine.failChange(error);
    }
    if (!engine.inTransaction) engine.endChange();
  }

  /** How many bits are set, from `begin` up to `end`, not included; without them, of all. */
  count(begin = 0, end = this.length): number {
    return this.#read(begin, end, (raw) => raw.bits.count(begin, end));
  }

  /** The first bit at or behind `from` that is set; -1 when there is none. */
  nextSet(from = 0): number {
    return this.#read(from, this.length, (raw) => raw.bits.nextSet(from, raw.length));
  }

  /** The first bit at or behind `from` that is clear; -1 when there is none. */
  nextClear(from = 0): number {
    return this.#read(from, this.length, (raw) => raw.bits.nextClear(from, raw.length));
  }

  /** The indexes of all bits that are set, in order. What is changed meanwhile may be seen or not. */
  *[Symbol.iterator](): Generator<number, undefined> {
    for (let index = 0; index < this.length; index++) {
      index = this.nextSet(index);
      if (index < 0) return;
      yield index;
    }
  }

  /** Makes it longer or shorter. New bits have the value of `fill`. */
  resize(length: number, fill = false): void {
    if (!(Number.isSafeInteger(length) && length >= 0)) {
      throw new RangeError(`Cannot use ${length} as a length: an integer from 0 to 2^53 - 1 is wanted`);
    }
    const handle = this.#handle;
    const raw = handle.writable();
    handle.engine.ensureSpace(raw.newBlocks(length));
    handle.change(() => {
      handle.engine.log.resize(raw, length, new Uint32Array([fill ? 1 : 0]));
      raw.resize(length, fill);
    });
  }

  /** A look may write the word that is held in core, if bits of it were changed. */
  #read<R>(begin: number, end: number, look: (raw: RawBitset) => R): R {
    const raw = this.#handle.current();
    this.#checkRange(raw, begin, end);
    const wasDirty = raw.bits.isDirty;
    try {
      return look(raw);
    } catch (error) {
      throw wasDirty ? this.#handle.engine.failChange(error) : error;
    }
  }

  #checkRange(raw: RawBitset, begin: number, end: number): void {
    const isRange = Number.isSafeInteger(begin) && Number.isSafeInteger(end) && begin >= 0 && begin <= end;
    if (isRange && end <= raw.length) return;
    throw new RangeError(`Cannot use bits ${begin} to ${end} of "${this.name}": it has ${raw.length} bits`);
  }
}
