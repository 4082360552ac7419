import { ReadOnlyError, StateError, type U64, unixMs } from '../base/index.ts';
import { MAX_LEVELS } from '../btree/index.ts';
import { STORE_KIND } from '../format/index.ts';
import { type Branch, goneError } from './branch.ts';
import { checkNameRecord, checkText, MAX_SNAPSHOT_NAME_BYTES } from './catalogue.ts';
import { type CodecSpec, codecOf, type SpecValue } from './codec-struct.ts';
import type { NewCollection } from './core.ts';
import type { Engine } from './engine.ts';
import { type CollectionPlace, Handle, refuseMisfit } from './handle.ts';
import type { RawArray } from './raw-array.ts';
import type { RawBitset } from './raw-bitset.ts';
import type { RawCollection } from './raw-collection.ts';
import type { RawTree } from './raw-tree.ts';
import { StoreArray } from './store-array.ts';
import { StoreBitset } from './store-bitset.ts';
import { StoreTree } from './store-tree.ts';

/** What a tree is. */
export interface TreeSpec<N extends KeyCount = 1, S extends CodecSpec = CodecSpec> {
  /** Numbers in a key, 1 to 8. Default 1. */
  readonly keys?: N;
  /** A codec, or named fields with their codecs. */
  readonly value: S;
}

/** What an array is. */
export interface ArraySpec<S extends CodecSpec> {
  /** A codec, or named fields with their codecs. */
  readonly value: S;
  /** Elements that a new array has. Default 0. */
  readonly length?: number;
  /** Their value. */
  readonly fill?: SpecValue<S>;
}

/** What a bitset is. */
export interface BitsetSpec {
  /** Bits that a new set has. Default 0. */
  readonly length?: number;
  /** Their value. Default false. */
  readonly fill?: boolean;
}

/** Keys by how many numbers they have. */
interface KeyTypes {
  readonly 1: U64;
  readonly 2: readonly [U64, U64];
  readonly 3: readonly [U64, U64, U64];
  readonly 4: readonly [U64, U64, U64, U64];
  readonly 5: readonly [U64, U64, U64, U64, U64];
  readonly 6: readonly [U64, U64, U64, U64, U64, U64];
  readonly 7: readonly [U64, U64, U64, U64, U64, U64, U64];
  readonly 8: readonly [U64, U64, U64, U64, U64, U64, U64, U64];
}

/** How many numbers a key may have. */
export type KeyCount = keyof KeyTypes;

/** A key of `N` numbers: one by itself, or a list. */
export type KeyOf<N extends KeyCount> = KeyTypes[N];

/** A collection as {@link StoreState.collections} lists it. */
export interface CollectionInfo {
  readonly name: string;
  readonly kind: 'tree' | 'array' | 'bitset';
  /** Levels, and codec of the values, as text. */
  readonly schema: string;
  /** Entries of a tree, elements of an array, bits of a bitset. */
  readonly size: number;
}

/** A state of a store: the head, or a snapshot. It has named collections, which can be read and changed. */
export abstract class StoreState {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** 0 for the head, else the snapshot's id. @throws {StateError} when the snapshot is not there any more. */
  protected abstract branchId(action: string): number;

  /** Whether nothing may be changed here, although the store is writable. */
  protected get isFrozen(): boolean {
    return false;
  }

  /** The branch in core. For this layer's own use. */
  branch(action: string): Branch {
    this.#engine.refuseUnusable(action);
    const branch = this.#engine.core.branch(this.branchId(action));
    if (branch === undefined) throw new StateError(`Cannot ${action}: the snapshot is not there any more`);
    return branch;
  }

  /**
   * Opens a tree, or makes it.
   *
   * @throws {StateError} when there is a collection of this name that is something else; or there is none, and the store is read-only.
   * @throws {RangeError | TypeError} when the name is too long (255 bytes), or the spec is none.
   */
  tree<const N extends KeyCount = 1, S extends CodecSpec = CodecSpec>(
    name: string,
    spec: TreeSpec<N, S>,
  ): StoreTree<KeyOf<N>, SpecValue<S>> {
    const levels = spec.keys ?? 1;
    if (!(Number.isInteger(levels) && levels >= 1 && levels <= MAX_LEVELS)) {
      throw new RangeError(
        `Cannot open tree "${name}": keys is ${levels}, an integer from 1 to ${MAX_LEVELS} is wanted`,
      );
    }
    const codec = codecOf(spec.value);
    const schema = `tree keys=${levels} value=${codec.schema}`;
    const handle = this.#open({ name, schema, kind: 'tree', levels, valueSize: codec.size }, () => undefined);
    return new StoreTree<KeyOf<N>, SpecValue<S>>(handle as Handle<RawTree>, codec);
  }

  /**
   * Opens an array, or makes it: with `length` elements of the value of `fill`, or empty.
   *
   * @throws {StateError} when there is a collection of this name that is something else; or there is none, and the store is read-only.
   */
  array<S extends CodecSpec>(name: string, spec: ArraySpec<S>): StoreArray<SpecValue<S>> {
    const codec = codecOf(spec.value);
    const schema = `array value=${codec.schema}`;
    const handle = this.#open({ name, schema, kind: 'array', levels: 1, valueSize: codec.size }, (made) => {
      if (spec.length === undefined || spec.length === 0) return;
      if (spec.fill === undefined) throw new TypeError(`Cannot make array "${name}": its elements want a value, fill`);
      new StoreArray(made as Handle<RawArray>, codec).resize(spec.length, spec.fill);
    });
    return new StoreArray(handle as Handle<RawArray>, codec);
  }

  /**
   * Opens a bitset, or makes it: with `length` bits, all clear (or set, with `fill`).
   *
   * @throws {StateError} when there is a collection of this name that is something else; or there is none, and the store is read-only.
   */
  bitset(name: string, spec: BitsetSpec = {}): StoreBitset {
    const handle = this.#open({ name, schema: 'bitset', kind: 'bitset', levels: 1, valueSize: 8 }, (made) => {
      if (spec.length) new StoreBitset(made as Handle<RawBitset>).resize(spec.length, spec.fill);
    });
    return new StoreBitset(handle as Handle<RawBitset>);
  }

  /** All collections, by name. */
  collections(): CollectionInfo[] {
    const branch = this.branch('list the collections');
    const { core } = this.#engine;
    return [...core.namesOf(branch).values()]
      .map(({ id, name, schema }) => {
        const raw = core.collection(branch, id);
        if (raw === undefined) throw goneError('list', name, branch.title);
        return { name, kind: raw.kind, schema, size: raw.kind === 'tree' ? raw.count : raw.length };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Whether there is a collection of this name. */
  has(name: string): boolean {
    const branch = this.branch('look for a collection');
    return this.#engine.core.namesOf(branch).has(name);
  }

  /** Deletes a collection. Costs as many blocks as no snapshot shares. @throws {StateError} when there is none of this name. */
  delete(name: string): void {
    const branch = this.branch(`delete "${name}"`);
    const engine = this.#engine;
    this.#refuseFrozen(`delete "${name}"`);
    engine.refuseReadOnly(`delete "${name}"`);
    const named = engine.core.namesOf(branch).get(name);
    if (named === undefined) throw goneError('delete', name, branch.title);
    engine.change(`delete "${name}"`, (core, log) => {
      log.deleteCollection(branch.id, named.id);
      core.deleteCollection(core.branch(branch.id)!, named);
    });
    engine.stamp++;
  }

  /** Makes a snapshot's record and answers its id. O(1). */
  makeSnapshot(name: string, options: { readonly flags: number; readonly lazy: boolean }): number {
    const branch = this.branch('make a snapshot');
    const engine = this.#engine;
    const createdMs = unixMs();
    checkText('snapshot name', name, MAX_SNAPSHOT_NAME_BYTES);
    const { flags, lazy } = options;
    const make = lazy ? engine.changeLazily.bind(engine) : engine.change.bind(engine);
    return make<number>('make a snapshot', (core, log) => {
      log.createSnapshot(branch.id, flags, createdMs, name);
      return core.createSnapshot(core.branch(branch.id)!, { name, flags, createdMs });
    });
  }

  #refuseFrozen(action: string): void {
    if (this.isFrozen) throw new ReadOnlyError(`Cannot ${action}: a view is for reading`);
  }

  /** @param fill - Called with a collection that was made just now, in the same transaction. */
  #open(spec: NewCollection, fill: (made: Handle<RawCollection>) => void): Handle<RawCollection> {
    checkNameRecord(spec);
    const { name, schema } = spec;
    const branch = this.branch(`open "${name}"`);
    const engine = this.#engine;
    const named = engine.core.namesOf(branch).get(name);
    const { isFrozen } = this;
    const place = (id: number): CollectionPlace => ({ branchId: branch.id, id, name, schema, isFrozen });
    if (named !== undefined) {
      if (named.schema !== schema) {
        throw new StateError(`Cannot open "${name}": it is "${named.schema}", "${schema}" was asked for`);
      }
      const raw = engine.core.collection(branch, named.id);
      if (raw === undefined) throw goneError('open', name, branch.title);
      refuseMisfit(name, raw, spec);
      return new Handle(engine, place(named.id), raw);
    }
    if (engine.readOnly || isFrozen) throw goneError('open', name, branch.title);
    const shape = { kind: STORE_KIND[spec.kind], levels: spec.levels, valueSize: spec.valueSize };
    return engine.inOneTransaction(() => {
      const raw = engine.change(`make "${name}"`, (core, log) => {
        log.createCollection(branch.id, shape, name, schema);
        return core.createCollection(core.branch(branch.id)!, spec);
      });
      const handle = new Handle(engine, place(raw.id), raw);
      fill(handle);
      return handle;
    });
  }
}
