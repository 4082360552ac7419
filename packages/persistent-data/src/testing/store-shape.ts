import { MemoryDevice } from '../io/index.ts';
import { Store, type StoreOptions, u32 } from '../store/index.ts';
import { Random } from './random.ts';

/** One collection of a {@link StoreShape}. Its values are u32. */
export interface CollectionShape {
  readonly name: string;
  readonly kind: 'tree' | 'array' | 'bitset';
  /** Entries of a tree, elements, bits. */
  readonly length: number;
  /** Of a tree, fragmentation: the distance of its keys. Default 1. */
  readonly stride?: number;
}

/** A store to make. */
export interface StoreShape {
  readonly collections: readonly CollectionShape[];
  /** Snapshots, each after a change of {@link changed} entries of each collection. Default 0. */
  readonly nrSnapshots?: number;
  /** Entries of each collection that differ from one snapshot to the next: what is not shared. Default 10. */
  readonly changed?: number;
  /** Leaves so many small commits in the journal instead of closing the store. Default: it is closed. */
  readonly nrInJournal?: number;
  readonly options?: StoreOptions;
  /** Default 1. */
  readonly seed?: number;
}

function put(store: Store, { name, kind, stride = 1 }: CollectionShape, index: number, value: number): void {
  if (kind === 'tree') store.tree(name, { value: u32 }).set(index * stride, value);
  else if (kind === 'array') store.array(name, { value: u32 }).set(index, value);
  else store.bitset(name).set(index, value % 2 === 1);
}

function fill(store: Store, shape: CollectionShape): void {
  const { name, kind, length } = shape;
  if (kind === 'array') store.array(name, { value: u32 }).resize(length, 0);
  if (kind === 'bitset') store.bitset(name).resize(length, false);
  for (let i = 0; i < length; i++) put(store, shape, i, i);
}

/**
 * Makes a sound store of this shape, in memory. The same shape gives the same content; uuid and times differ. O(entries).
 *
 * @throws {RangeError} when an option is impossible.
 */
export function makeStore(shape: StoreShape): MemoryDevice {
  const { collections, nrSnapshots = 0, changed = 10, nrInJournal, options, seed = 1 } = shape;
  const random = new Random(seed);
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device, options);
  for (const each of collections) store.transact(() => fill(store, each));
  const filled = collections.filter(({ length }) => length > 0);
  for (let n = 0; n < nrSnapshots; n++) {
    store.snapshot(`snapshot ${n}`);
    store.transact(() => {
      for (const each of filled) {
        for (let i = 0; i < changed; i++) put(store, each, random.below(each.length), random.uint32());
      }
    });
  }
  if (nrInJournal === undefined) {
    store.close();
    return device;
  }
  // A check makes a checkpoint first: from then on the journal has what follows, and nothing else.
  for (const { message } of store.check()) throw new Error(message);
  for (let i = 0; i < nrInJournal && filled.length > 0; i++) {
    const each = random.pick(filled);
    store.transact(() => put(store, each, random.below(each.length), random.uint32()));
  }
  // The store is left as a crash leaves it.
  return device.fork();
}
