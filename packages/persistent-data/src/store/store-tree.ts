import { joinKey, type Slab, type U64 } from '../base/index.ts';
import { BtreeBuilder, forEachEntry, type Keys } from '../btree/index.ts';
import { NestedBuilder, refuseFull } from './bulk.ts';
import type { Codec } from './codec.ts';
import type { Handle } from './handle.ts';
import type { RawTree } from './raw-tree.ts';
import { type Shown, TreeIterator } from './tree-iterator.ts';
import type { WalkBounds } from './tree-walk.ts';

/** A bound of a range: a key, or the first keys of a nested one. */
export type Bound = U64 | readonly U64[];

export interface RangeOptions {
  /** From the largest key to the smallest. Default false. */
  readonly reverse?: boolean;
}

function keysOf(bound: Bound | undefined): readonly U64[] | undefined {
  return typeof bound === 'object' || bound === undefined ? bound : [bound];
}

/**
 * A sorted map in a store: u64 keys (or lists of them, of a fixed length), values of one codec.
 *
 * Changes belong to the running transaction; outside one each change is a transaction of its own. Reading sees them at once. Keys are numbers
 * up to 2^53 - 1 or bigints up to 2^64 - 1, and come out as bigints only where a number is not exact. A look-up costs one block per level of
 * nodes, O(log n), and allocates nothing but what the codec makes.
 */
export class StoreTree<Key extends Keys = U64, V = unknown> {
  readonly name: string;
  /** Numbers in a key. */
  readonly levels: number;
  readonly #handle: Handle<RawTree>;
  readonly #codec: Codec<V>;
  /** The engine's stamp with which entries go into the store's backlog. */
  #gathering = -1;
  readonly #current = (): RawTree => this.#handle.current();

  constructor(handle: Handle<RawTree>, codec: Codec<V>) {
    this.#handle = handle;
    this.#codec = codec;
    this.name = handle.place.name;
    this.levels = handle.raw.levels;
  }

  /** Entries. O(1). */
  get size(): number {
    return this.#handle.current('count').count;
  }

  /** The value under a key, or `undefined`. @throws {TypeError | RangeError} when it is no key of this tree. */
  get(key: Key): V | undefined {
    const handle = this.#handle;
    const raw = handle.stamp === handle.engine.stamp ? handle.raw : handle.current();
    raw.context.setKeys(key);
    const at = raw.find();
    return at < 0 ? undefined : this.#codec.read(raw.slab, at);
  }

  /** As {@link get}, into an object of the caller's, where the codec makes objects. `undefined`, and nothing written, when it is not there. */
  getInto(key: Key, into: V): V | undefined {
    const handle = this.#handle;
    const raw = handle.stamp === handle.engine.stamp ? handle.raw : handle.current();
    raw.context.setKeys(key);
    const at = raw.find();
    if (at < 0) return undefined;
    return this.#codec.readInto === undefined
      ? this.#codec.read(raw.slab, at)
      : this.#codec.readInto(raw.slab, at, into);
  }

  has(key: Key): boolean {
    const raw = this.#handle.current();
    raw.context.setKeys(key);
    return raw.find() >= 0;
  }

  /**
   * Inserts or overwrites.
   * @throws {TypeError | RangeError} when key or value are none of this tree's; nothing has changed then.
   */
  set(key: Key, value: V): void {
    const handle = this.#handle;
    const { engine } = handle;
    let { raw } = handle;
    if (this.#gathering === engine.stamp) {
      this.#gather(key, value);
      return;
    }
    if (handle.stamp !== engine.stamp || !engine.isReady(raw)) {
      if (engine.backlog.admits(handle)) {
        this.#gather(key, value);
        return;
      }
      raw = handle.writable();
    }
    const { context } = raw;
    context.setKeys(key);
    this.#codec.write(context.scratch, 0, value);
    engine.log.put(raw);
    if (engine.journal.overflowed && engine.inTransaction && engine.backlog.opensFor(handle)) {
      this.#gather(key, value);
      return;
    }
    try {
      raw.put();
    } catch (error) {
      throw engine.failChange(error);
    }
    if (!engine.inTransaction) engine.endChange();
  }

  /** Lets an entry of a large transaction wait in the store's backlog, which is open for this tree. */
  #gather(key: Key, value: V): void {
    const { engine, raw } = this.#handle;
    this.#gathering = engine.stamp;
    const { context } = raw;
    const backlog = raw.backlog!;
    context.setKeys(key);
    this.#codec.write(backlog.values, backlog.end, value);
    if (this.#gathering !== engine.stamp) {
      // A getter of the value has looked at the store: that has closed the backlog.
      this.set(key, value);
      return;
    }
    backlog.push(context.keyHigh[0]!, context.keyLow[0]!);
    if (backlog.isFull) engine.backlog.putFull(raw);
  }

  /** Removes a key. False when it is not there. */
  delete(key: Key): boolean {
    const handle = this.#handle;
    const { engine } = handle;
    let { raw } = handle;
    if (handle.stamp !== engine.stamp || !engine.isReady(raw)) raw = handle.writable();
    raw.context.setKeys(key);
    if (!raw.findForRemoval()) return false;
    engine.log.remove(raw);
    try {
      raw.removeFound();
    } catch (error) {
      throw engine.failChange(error);
    }
    if (!engine.inTransaction) engine.endChange();
    return true;
  }

  /**
   * Sets many entries. In order of their keys it costs least; of more than the journal takes, those of one leaf are put at once. One transaction, where
   * none is running.
   */
  setMany(entries: Iterable<readonly [Key, V]>): void {
    this.#handle.engine.inOneTransaction(() => {
      for (const entry of entries) this.set(entry[0], entry[1]);
    });
  }

  /**
   * Fills an empty tree with entries in rising order of their keys: three times as fast as setting them, and nodes come out full. It is committed with
   * a checkpoint.
   *
   * @throws {StateError} when the tree is not empty. @throws {RangeError} when the keys do not rise. The transaction has to be rolled back then;
   *   one of its own is.
   */
  load(entries: Iterable<readonly [Key, V]>): void {
    const handle = this.#handle;
    const { engine } = handle;
    engine.inOneTransaction(() => {
      const raw = handle.writable();
      refuseFull(this.name, raw.count);
      engine.journal.overflow();
      handle.change(() => {
        const { root, count } = raw.levels === 1 ? this.#buildFlat(raw, entries) : this.#buildNested(raw, entries);
        engine.core.structures.delete(raw);
        raw.adopt(root, { count, length: 0 });
      });
    });
  }

  /** Removes the entries from `begin` up to `end`, not included; see {@link range}. Answers how many that was. */
  deleteRange(begin?: Bound, end?: Bound): number {
    const raw = this.#handle.writable();
    const from = keysOf(begin) ?? [];
    const to = keysOf(end);
    raw.checkPrefix(from);
    if (to !== undefined) raw.checkPrefix(to);
    return this.#handle.change(() => {
      this.#handle.engine.log.removeRange(raw, from, to);
      return raw.removeRange(from, to);
    });
  }

  /** Removes everything. Costs as many blocks as no snapshot shares. */
  clear(): void {
    const raw = this.#handle.writable();
    this.#handle.change(() => {
      this.#handle.engine.log.removeBelow(raw, []);
      raw.removeBelow([]);
    });
  }

  /** The entry with the smallest key. */
  first(): [Key, V] | undefined {
    return this.#nth(undefined, undefined, false);
  }

  /** The entry with the largest key. */
  last(): [Key, V] | undefined {
    return this.#nth(undefined, undefined, true);
  }

  /** The entry with the smallest key at least this one. */
  atLeast(key: Key): [Key, V] | undefined {
    return this.#nth(key, undefined, false);
  }

  /** The entry with the smallest key above this one. */
  next(key: Key): [Key, V] | undefined {
    const above = this.range(key);
    const first = above.next().value;
    if (first === undefined || !isSame(first[0], key)) return first;
    return above.next().value;
  }

  /** The entry with the largest key below this one. */
  previous(key: Key): [Key, V] | undefined {
    return this.#nth(undefined, key, true);
  }

  /**
   * The entries from `begin` up to `end`, not included, in order of their keys. Bounds may be the first keys of nested ones: `range([7], [8])` is
   * everything below 7. When the tree is changed meanwhile, the walk goes on with the first key beyond the last one.
   */
  range(begin?: Bound, end?: Bound, options: RangeOptions = {}): Generator<[Key, V], undefined> {
    return this.#iterator('entries', { begin: keysOf(begin), end: keysOf(end), ...options });
  }

  /** All entries, in order of their keys. */
  entries(options: RangeOptions = {}): Generator<[Key, V], undefined> {
    return this.range(undefined, undefined, options);
  }

  [Symbol.iterator](): Generator<[Key, V], undefined> {
    return this.range();
  }

  /** All keys, in order. */
  keys(options: RangeOptions = {}): Generator<Key, undefined> {
    return this.#iterator('keys', options);
  }

  /** All values, in order of their keys. */
  values(options: RangeOptions = {}): Generator<V, undefined> {
    return this.#iterator('values', options);
  }

  /**
   * Calls `visit` for each entry, in order of the keys: the fastest way through all of a tree. Answering `false` ends it. Nothing in the store may be
   * changed meanwhile: that is a `StateError`.
   */
  forEach(visit: (value: V, key: Key) => unknown, begin?: Bound, end?: Bound): void {
    const raw = this.#handle.current();
    const codec = this.#codec;
    if (raw.levels > 1) {
      for (const [key, value] of this.range(begin, end)) if (visit(value, key) === false) return;
      return;
    }
    const from = keysOf(begin)?.[0];
    const to = keysOf(end)?.[0];
    const bounds = { ...(from === undefined ? {} : { begin: from }), ...(to === undefined ? {} : { end: to }) };
    const read = (slab: Slab, high: number, low: number, at: number): unknown => {
      const key = high === 0 ? low : joinKey(high, low);
      return visit(codec.read(slab, at), key as Key);
    };
    this.#handle.engine.scan(() => forEachEntry(raw.leafTree, raw.root, read, bounds));
  }

  /**
   * Values go straight into their leaf, entries are not taken apart as arrays, and space is made sure of for each third of a leaf: an entry takes half the
   * time of {@link #buildNested} (bench: `snapshots`, bulk load).
   */
  #buildFlat(raw: RawTree, entries: Iterable<readonly [Key, V]>): { root: number; count: number } {
    const { engine } = this.#handle;
    const { context } = raw;
    const { keyHigh, keyLow } = context;
    const builder = new BtreeBuilder<V>(raw.tm, this.#codec);
    const stride = Math.floor(context.maxLeafEntries / 3);
    let untilEnsured = 0;
    for (const entry of entries) {
      if (untilEnsured-- === 0) {
        engine.ensureSpace();
        untilEnsured = stride - 1;
      }
      context.setKeys(entry[0]);
      builder.add(keyHigh[0]!, keyLow[0]!, entry[1]);
    }
    return { root: builder.finish(), count: builder.nrEntries };
  }

  #buildNested(raw: RawTree, entries: Iterable<readonly [Key, V]>): { root: number; count: number } {
    const { context } = raw;
    const builder = new NestedBuilder(raw.tm, raw.levels, raw.valueSize);
    for (const [key, value] of entries) {
      this.#handle.engine.ensureSpace();
      context.setKeys(key);
      this.#codec.write(context.scratch, 0, value);
      builder.add(context.keyHigh, context.keyLow, context.scratch, 0);
    }
    return { root: builder.finish(), count: builder.count };
  }

  #nth(begin: Bound | undefined, end: Bound | undefined, reverse: boolean): [Key, V] | undefined {
    const entries = this.range(begin, end, { reverse });
    const entry = entries.next().value;
    entries.return(undefined);
    return entry;
  }

  #iterator<T>(shown: Shown, bounds: WalkBounds): Generator<T, undefined> {
    return new TreeIterator<T>(this.#current, this.#codec, shown, bounds) as unknown as Generator<T, undefined>;
  }
}

function isSame(a: Keys, b: Keys): boolean {
  const others = keysOf(b)!;
  return keysOf(a)!.every((part, level) => BigInt(part) === BigInt(others[level]!));
}
