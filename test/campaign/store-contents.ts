/** What a Store holds: as text, for comparing; and as plain maps, which tell the same text. */

import { type Store, type StoreState, u32 } from 'persistent-data/store';
import { expectSame } from 'persistent-data/testing';

type Tree = Map<number, number>;
type State = Map<string, Tree>;

export const ARRAY = 'a';
export const BITSET = 'b';

export const treeOf = (state: StoreState, name: string) => state.tree(name, { value: u32 });

export const arrayOf = (state: StoreState) => state.array(ARRAY, { value: u32 });

/** The entries of a collection, by its name: of a bitset its length at -1, and the bits that are set. */
function entriesOf(state: StoreState, name: string): [number, number][] {
  if (name.startsWith('t')) return [...treeOf(state, name).entries()].map(([key, value]) => [Number(key), value]);
  const entries: [number, number][] = [];
  if (name === ARRAY) {
    arrayOf(state).forEach((value, index) => {
      entries.push([index, value]);
    });
    return entries;
  }
  const bits = state.bitset(name);
  entries.push([-1, bits.length]);
  for (let bit = bits.nextSet(0); bit >= 0 && bit < bits.length; bit = bits.nextSet(bit + 1)) entries.push([bit, 1]);
  return entries;
}

function describeState(state: StoreState): string {
  const collections = state.collections().map(({ name, size }) => {
    const entries = entriesOf(state, name).map(([key, value]) => `${key}=${value}`);
    if (name !== BITSET) expectSame(size, entries.length, `the size of ${name}`);
    return `${name}: ${entries.join(' ')}`;
  });
  return collections.join('\n');
}

/** All that a store holds, as text. */
export function describeStore(store: Store): string {
  const snapshots = store.snapshots().map((snapshot) => `\n--- ${snapshot.name}\n${describeState(snapshot)}`);
  return describeState(store) + snapshots.join('');
}

/** What a store holds, as plain maps. */
export class StoreModel {
  head: State = new Map();
  snapshots = new Map<string, State>();

  copy(): StoreModel {
    const copy = new StoreModel();
    copy.head = copyState(this.head);
    // A snapshot is never changed here.
    copy.snapshots = new Map(this.snapshots);
    return copy;
  }

  describe(): string {
    const state = (trees: State) =>
      [...trees]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, tree]) => `${name}: ${sorted(tree).join(' ')}`)
        .join('\n');
    return state(this.head) + [...this.snapshots].map(([name, trees]) => `\n--- ${name}\n${state(trees)}`).join('');
  }
}

export const copyState = (state: State): State => new Map([...state].map(([name, tree]) => [name, new Map(tree)]));
const sorted = (tree: Tree): string[] => [...tree].sort(([a], [b]) => a - b).map(([key, value]) => `${key}=${value}`);
