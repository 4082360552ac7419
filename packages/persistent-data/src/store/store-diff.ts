import { StateError, type U64 } from '../base/index.ts';
import { Btree, diffTrees, type Keys } from '../btree/index.ts';
import type { Codec } from './codec.ts';
import { parseSchema } from './codec-parse.ts';
import type { Engine } from './engine.ts';
import type { RawCollection } from './raw-collection.ts';
import { RawTree } from './raw-tree.ts';
import type { StoreState } from './store-state.ts';
import type { StoreTree } from './store-tree.ts';

/** One entry that two states treat differently: one of them lacks it, or they have different values. */
export interface TreeChange<Key = unknown, V = unknown> {
  readonly kind: 'added' | 'removed' | 'changed';
  readonly key: Key;
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
    const before = this.#treeOf(this.#before, name);
    const after = this.#treeOf(this.#after, name);
    const some = after ?? before;
    if (some === undefined) throw new StateError(`Cannot compare "${name}": neither state has such a tree`);
    if (before !== undefined && after !== undefined && before.schema !== after.schema) {
      throw new StateError(`Cannot compare "${name}": it is "${before.schema}" and "${after.schema}"`);
    }
    const { levels, codec } = parseSchema(some.schema);
    const tree = new Btree<V>(this.#engine.core.tm, { levels, valueType: codec as Codec<V> });
    for (const { keys, left, right } of diffTrees(tree, before?.raw.root, after?.raw.root)) {
      const kind = left === undefined ? 'added' : right === undefined ? 'removed' : 'changed';
      const key = (levels === 1 ? keys[0] : keys) as U64 | readonly U64[] as Key;
      yield { kind, key, before: left, after: right };
    }
  }

  #treeOf(state: StoreState, name: string): { readonly raw: RawTree; readonly schema: string } | undefined {
    const { core } = this.#engine;
    const branch = state.branch(`compare "${name}"`);
    const named = core.namesOf(branch).get(name);
    const raw = named && core.collection(branch, named.id);
    return raw instanceof RawTree ? { raw, schema: named!.schema } : undefined;
  }
}

function rootOf(raw: RawCollection | undefined): number | undefined {
  raw?.settle();
  return raw?.root;
}
