import type { Codec } from './codec.ts';
import type { Handle } from './handle.ts';
import type { RawArray } from './raw-array.ts';

/** Elements copied out at a time while an array is walked. */
const BATCH = 256;

/**
 * An array in a store: values of one codec, by index from 0. Stored in blocks of some hundreds, so that a whole array takes little more than its
 * values. Changes belong to the running transaction; outside one each change is a transaction of its own.
 */
export class StoreArray<V = unknown> implements Iterable<V> {
  readonly name: string;
  readonly #handle: Handle<RawArray>;
  readonly #codec: Codec<V>;

  constructor(handle: Handle<RawArray>, codec: Codec<V>) {
    this.#handle = handle;
    this.#codec = codec;
    this.name = handle.place.name;
  }

  /** Elements. O(1). */
  get length(): number {
    return this.#handle.current('count').length;
  }

  /** The element at an index, or `undefined` at the length and beyond. @throws {RangeError} when it is no index. */
  get(index: number): V | undefined {
    const raw = this.#handle.current();
    checkIndex(index);
    const at = raw.find(index);
    return at < 0 ? undefined : this.#codec.read(raw.slab, at);
  }

  /**
   * Overwrites an element.
   * @throws {RangeError} when there is none at this index: make the array longer first. @throws {TypeError | RangeError} for a wrong value.
   */
  set(index: number, value: V): void {
    const handle = this.#handle;
    const { engine } = handle;
    let { raw } = handle;
    if (handle.stamp !== engine.stamp || !engine.isReady(raw)) raw = handle.writable();
    checkIndex(index);
    if (index >= raw.length) {
      throw new RangeError(`Cannot set element ${index} of "${this.name}": it has ${raw.length} elements`);
    }
    this.#codec.write(raw.scratch, 0, value);
    engine.log.setElement(raw, index, raw.scratch.words);
    try {
      raw.put(index);
    } catch (error) {
      throw engine.failChange(error);
    }
    if (!engine.inTransaction) engine.endChange();
  }

  /** Makes it longer or shorter. New elements have the value of `fill`. O(blocks that come or go). */
  resize(length: number, fill: V): void {
    checkIndex(length);
    const handle = this.#handle;
    const raw = handle.writable();
    this.#codec.write(raw.scratch, 0, fill);
    handle.engine.ensureSpace(raw.newBlocks(length));
    handle.change(() => {
      handle.engine.log.resize(raw, length, raw.scratch.words);
      raw.resize(length);
    });
  }

  /** Adds an element at the end. Answers its index. */
  push(value: V): number {
    const index = this.length;
    this.resize(index + 1, value);
    return index;
  }

  /** The elements from `begin` up to `end`, not included. What is changed meanwhile may be seen or not. */
  *values(begin = 0, end = Number.POSITIVE_INFINITY): Generator<V, undefined> {
    checkIndex(begin);
    for (let index = begin; ; ) {
      const batch = this.#batch(index, end);
      yield* batch;
      if (batch.length === 0) return;
      index += batch.length;
    }
  }

  /** Index and value of each element from `begin` up to `end`, not included. */
  *entries(begin = 0, end = Number.POSITIVE_INFINITY): Generator<[number, V], undefined> {
    let index = begin;
    for (const value of this.values(begin, end)) yield [index++, value];
  }

  [Symbol.iterator](): Generator<V, undefined> {
    return this.values();
  }

  /** Calls `visit` for each element, in order. Answering `false` ends it. */
  forEach(visit: (value: V, index: number) => unknown): void {
    let index = 0;
    for (const value of this.values()) if (visit(value, index++) === false) return;
  }

  #batch(begin: number, end: number): V[] {
    const raw = this.#handle.current();
    const values: V[] = [];
    const last = Math.min(end, raw.length, begin + BATCH);
    for (let index = begin; index < last; index++) values.push(this.#codec.read(raw.slab, raw.find(index)));
    return values;
  }
}

function checkIndex(index: number): void {
  if (Number.isSafeInteger(index) && index >= 0) return;
  throw new RangeError(`Cannot use ${index} as an index or length: an integer from 0 to 2^53 - 1 is wanted`);
}
