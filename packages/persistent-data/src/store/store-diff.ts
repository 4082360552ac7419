import { PersistentArray } from '../array/index.ts';
import { Slab, StateError, type U64 } from '../base/index.ts';
import { Btree, diffTrees, type Keys } from '../btree/index.ts';
import { type ArrayVersion, diffArrays, type ElementDifference } from './array-diff.ts';
import type { Codec } from './codec.ts';
import { parseSchema } from './codec-parse.ts';
import type { Engine } from './engine.ts';
import { refuseMisfit } from './handle.ts';
import { RawArray } from './raw-array.ts';
import { BITSET_VALUE_SIZE, RawBitset } from './raw-bitset.ts';
import type { RawCollection } from './raw-collection.ts';
import { opaqueType, RawTree } from './raw-tree.ts';
import type { StoreArray } from './store-array.ts';
import type { StoreBitset } from './store-bitset.ts';
import type { StoreState } from './store-state.ts';
import type { StoreTree } from './store-tree.ts';
import type { Shape } from './structures.ts';

/** One entry that two states treat differently: one of them lacks it, or they have different values. */
export interface TreeChange<Key = unknown, V = unknown> {
  readonly kind: 'added' | 'removed' | 'changed';
  readonly key: Key;
  readonly before: V | undefined;
  readonly after: V | undefined;
}

/** One element that two states treat differently; `undefined` where it is beyond the end. */
export interface ElementChange<V = unknown> {
  readonly index: number;
  readonly before: V | undefined;
  readonly after: V | undefined;
}

/** A collection that two states treat differently. `replaced`: deleted, and made anew under the same name. */
export interface CollectionChange {
  readonly kind: 'added' | 'removed' | 'changed' | 'replaced';
  readonly name: string;
}

/**
 * The differences between two states of a store. Everything that both share is stepped over unread, so the cost grows with the differences and not
 * with the store. Made by `Store.diff`.
 */
export class StoreDiff {
  readonly #engine: Engine;
  readonly #before: StoreState;
  readonly #after: StoreState;

  constructor(engine: Engine, before: StoreState, after: StoreState) {
    this.#engine = engine;
    this.#before = before;
    this.#after = after;
  }

  /** The collections that are not the same in both states, by name. O(collections). */
  collections(): CollectionChange[] {
    const { core } = this.#engine;
    const before = this.#before.branch('compare the collections');
    const after = this.#after.branch('compare the collections');
    const old = core.namesOf(before);
    const now = core.namesOf(after);
    const changes: CollectionChange[] = [];
    for (const [name, { id }] of old) {
      const other = now.get(name);
      if (other === undefined) changes.push({ kind: 'removed', name });
      else if (other.id !== id) changes.push({ kind: 'replaced', name });
      else if (rootOf(core.collection(before, id)) !== rootOf(core.collection(after, id))) {
        changes.push({ kind: 'changed', name });
      }
    }
    for (const name of now.keys()) if (!old.has(name)) changes.push({ kind: 'added', name });
    return changes.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * The entries of a tree that differ, in order of their keys. A state that lacks the tree counts as one with an empty tree. Nothing must be changed
   * meanwhile.
   *
   * @param which - The tree, or its name; with the tree the changes are typed.
   * @throws {StateError} when neither state has it, both have it with different schemas, or something is changed between two differences.
   */
  *tree<Key extends Keys, V>(which: StoreTree<Key, V> | string): Generator<TreeChange<Key, V>, undefined> {
    const name = typeof which === 'string' ? which : which.name;
    const { before, after, schema } = this.#pair(name, RawTree);
    const { levels, codec } = parseSchema(schema);
    const tree = new Btree<V>(this.#engine.core.tm, { levels, valueType: codec as Codec<V> });
    for (const { keys, left, right } of diffTrees(tree, before?.root, after?.root)) {
      const kind = left === undefined ? 'added' : right === undefined ? 'removed' : 'changed';
      const key = (levels === 1 ? keys[0] : keys) as U64 | readonly U64[] as Key;
      yield { kind, key, before: left, after: right };
    }
  }

  /**
   * The elements of an array that differ, in order. A state that lacks the array counts as one with an empty array.
   * @throws {StateError} as {@link tree}.
   */
  *array<V = unknown>(which: StoreArray<V> | string): Generator<ElementChange<V>, undefined> {
    const name = typeof which === 'string' ? which : which.name;
    const { before, after, schema } = this.#pair(name, RawArray);
    const codec = parseSchema(schema).codec as Codec<V>;
    const slab = Slab.ofSize((codec.size + 3) & ~3);
    const decoded = (bytes: Uint8Array | undefined): V | undefined => {
      if (bytes === undefined) return undefined;
      slab.bytes.set(bytes);
      return codec.read(slab, 0);
    };
    for (const { index, left, right } of diffArrays((after ?? before)!.array, before, after)) {
      yield { index, before: decoded(left), after: decoded(right) };
    }
  }

  /** The bits that differ, in order; `undefined` where a state has no such bit. @throws {StateError} as {@link tree}. */
  *bitset(which: StoreBitset | string): Generator<ElementChange<boolean>, undefined> {
    const name = typeof which === 'string' ? which : which.name;
    const { before, after } = this.#pair(name, RawBitset);
    const words = new PersistentArray(this.#engine.core.tm, opaqueType(BITSET_VALUE_SIZE));
    for (const { index, left, right } of differentWords(words, before, after)) {
      for (let bit = 0; bit < 64; bit++) {
        const old = bitOf(left, bit, 64 * index, before);
        const now = bitOf(right, bit, 64 * index, after);
        if (old !== now) yield { index: 64 * index + bit, before: old, after: now };
      }
    }
  }

  /** The collection of this name in both states, which is of the same kind and schema in both. */
  #pair<Raw extends RawCollection>(name: string, kind: abstract new (...args: never[]) => Raw) {
    const before = this.#find(this.#before, name, kind);
    const after = this.#find(this.#after, name, kind);
    const some = after ?? before;
    if (some === undefined) throw new StateError(`Cannot compare "${name}": neither state has such a collection`);
    if (before !== undefined && after !== undefined && before.schema !== after.schema) {
      throw new StateError(`Cannot compare "${name}": it is "${before.schema}" and "${after.schema}"`);
    }
    return { before: before?.raw, after: after?.raw, schema: some.schema };
  }

  #find<Raw extends RawCollection>(
    state: StoreState,
    name: string,
    kind: abstract new (...args: never[]) => Raw,
  ): { readonly raw: Raw; readonly schema: string } | undefined {
    const { core } = this.#engine;
    const branch = state.branch(`compare "${name}"`);
    const named = core.namesOf(branch).get(name);
    const raw = named && core.collection(branch, named.id);
    raw?.settle();
    if (raw !== undefined) refuseMisfit(name, raw, shapeOf(named!.schema));
    return raw instanceof kind ? { raw, schema: named!.schema } : undefined;
  }
}

function shapeOf(schema: string): Shape {
  const { kind, levels, codec } = parseSchema(schema);
  return { kind, levels, valueSize: codec?.size ?? BITSET_VALUE_SIZE };
}

/** The words that differ; and the one in which the shorter set ends, as bits of it may be beyond that end. */
function* differentWords(
  words: PersistentArray<Uint8Array>,
  before: RawBitset | undefined,
  after: RawBitset | undefined,
): Generator<ElementDifference, undefined> {
  const lengths = [before?.length ?? 0, after?.length ?? 0];
  const shorter = Math.min(...lengths);
  let edge = lengths[0] === lengths[1] || shorter % 64 === 0 ? -1 : Math.floor(shorter / 64);
  const atEdge = (index: number): ElementDifference => ({
    index,
    left: before && words.get(before.root, index),
    right: after && words.get(after.root, index),
  });
  for (const difference of diffArrays(words, wordsOf(before), wordsOf(after))) {
    if (edge >= 0 && difference.index >= edge) {
      if (difference.index > edge) yield atEdge(edge);
      edge = -1;
    }
    yield difference;
  }
  if (edge >= 0) yield atEdge(edge);
}

function wordsOf(raw: RawBitset | undefined): ArrayVersion | undefined {
  return raw && { root: raw.root, length: Math.ceil(raw.length / 64) };
}

function bitOf(
  word: Uint8Array | undefined,
  bit: number,
  first: number,
  raw: RawBitset | undefined,
): boolean | undefined {
  if (word === undefined || raw === undefined || first + bit >= raw.length) return undefined;
  return (word[bit >>> 3]! & (1 << (bit & 7))) !== 0;
}

function rootOf(raw: RawCollection | undefined): number | undefined {
  raw?.settle();
  return raw?.root;
}
