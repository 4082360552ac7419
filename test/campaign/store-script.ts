/** Scripts for a Store, and a player that runs one on a Store and on plain maps at once. */

import { CorruptionError } from 'persistent-data/base';
import type { BlockDevice } from 'persistent-data/io';
import { Store, type StoreOptions, type StoreState, u32 } from 'persistent-data/store';
import { expectSame, type Random } from 'persistent-data/testing';

/**
 * One step, as plain data. Outside of `begin` and its end each change is a commit of its own. What makes no sense where it stands is skipped.
 *
 * - `set`, `unset`: so many keys from one on. `drop`: a whole tree. `element`: of an array; `bits`: of a bitset, both as long as needed.
 * - `commitAsync`, `await`: as for thin metadata.
 * - `compact`: where the player can.
 * - `checkpoint`: a check, which makes one first. `reopen`: close and open. `crash`: open again without closing.
 */
export type StoreStep =
  | readonly ['set', tree: number, key: number, count: number, value: number]
  | readonly ['unset', tree: number, key: number, count: number]
  | readonly ['drop', tree: number]
  | readonly ['element', index: number, value: number]
  | readonly ['bits', begin: number, count: number, value: 0 | 1]
  | readonly ['snapshot' | 'remove' | 'restore', name: number]
  | readonly [
      'begin' | 'commit' | 'commitAsync' | 'await' | 'rollback' | 'checkpoint' | 'compact' | 'reopen' | 'crash',
    ];

export type StoreScript = readonly StoreStep[];

type Tree = Map<number, number>;
type State = Map<string, Tree>;

const NR_TREES = 3;
const NR_SNAPSHOTS = 4;
const NR_KEYS = 4000;

const VERBS = {
  set: 30,
  unset: 10,
  drop: 1,
  element: 6,
  bits: 4,
  snapshot: 5,
  remove: 4,
  restore: 2,
  begin: 14,
  commit: 10,
  commitAsync: 5,
  await: 3,
  rollback: 3,
  checkpoint: 2,
  compact: 1,
  reopen: 2,
  crash: 1,
};

/** Draws a script. @param maxRun - The most keys that one step sets. */
export function randomStoreScript(random: Random, nrSteps: number, maxRun: number): StoreStep[] {
  const verbs = Object.entries(VERBS).flatMap(([verb, weight]) => Array<string>(weight).fill(verb));
  return Array.from({ length: nrSteps }, () => {
    const verb = random.pick(verbs) as StoreStep[0];
    const count = random.between(1, random.chance(0.3) ? maxRun : 8);
    switch (verb) {
      case 'set':
        return [verb, random.below(NR_TREES), random.below(NR_KEYS), count, random.below(2 ** 32)];
      case 'unset':
        return [verb, random.below(NR_TREES), random.below(NR_KEYS), 4 * count];
      case 'drop':
        return [verb, random.below(NR_TREES)];
      case 'element':
        return [verb, random.below(random.pick([20, 3000])), random.below(2 ** 32)];
      case 'bits':
        return [verb, random.below(random.pick([100, 40_000])), 10 * count, random.chance(0.6) ? 1 : 0];
      case 'snapshot':
      case 'remove':
      case 'restore':
        return [verb, random.below(NR_SNAPSHOTS)];
      default:
        return [verb];
    }
  });
}

const ARRAY = 'a';
const BITSET = 'b';

const treeOf = (state: StoreState, name: string) => state.tree(name, { value: u32 });

const arrayOf = (state: StoreState) => state.array(ARRAY, { value: u32 });

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

class Model {
  head: State = new Map();
  snapshots = new Map<string, State>();

  copy(): Model {
    const copy = new Model();
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

const copyState = (state: State): State => new Map([...state].map(([name, tree]) => [name, new Map(tree)]));
const sorted = (tree: Tree): string[] => [...tree].sort(([a], [b]) => a - b).map(([key, value]) => `${key}=${value}`);

/** Steps that wait for commits that are under way, so that what follows is known to be later. */
const WAITING: ReadonlySet<StoreStep[0]> = new Set(['await', 'checkpoint', 'compact', 'reopen', 'crash']);

/** Compacts a store that lies on a device; answers the device that it lies on now. */
export type Compact = (store: Store) => BlockDevice;

/** See the top of this file. */
export class StorePlayer {
  /** Where the store lies. One that was opened by its path is never opened again without being closed. */
  #where: BlockDevice | string;
  readonly #options: StoreOptions;
  readonly #compact: Compact | undefined;
  #store: Store | undefined;
  #model = new Model();
  /** What a rollback goes back to; there while a transaction runs. */
  #saved: Model | undefined;
  #states: string[] = [''];
  #models: Model[] = [new Model()];
  #acknowledged = 0;
  #underWay: Promise<void>[] = [];
  /** Whether the running transaction changed anything. The commit of one that did not says nothing about those before it. */
  #changed = false;

  /** @param compact - Without it a store on a device is not compacted. */
  constructor(where: BlockDevice | string, options: StoreOptions, compact?: Compact) {
    this.#where = where;
    this.#options = options;
    this.#compact = compact;
  }

  /** Opens the store; it is made if there is none. Before it, and within it, a crash leaves an empty one. */
  open(): void {
    this.#store = Store.open(this.#where, this.#options);
  }

  get store(): Store {
    if (this.#store === undefined) throw new Error('the store was not opened');
    return this.#store;
  }

  get allowed(): readonly string[] {
    return this.#states.slice(this.#acknowledged);
  }

  /** All states that were ever committed; the first is the empty one. */
  get states(): readonly string[] {
    return this.#states;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Plays one step; the promise, if any, has to be awaited before the next. */
  play(step: StoreStep): Promise<void> | undefined {
    if (this.#underWay.length > 0 && WAITING.has(step[0])) return this.settle().then(() => this.#step(step));
    this.#step(step);
    return undefined;
  }

  async settle(): Promise<void> {
    await Promise.all(this.#underWay.splice(0));
  }

  compare(): void {
    expectSame(describeStore(this.store), this.#model.describe(), 'what the store holds');
  }

  /** After an error on a device that works again: goes back to what was found on the disk, one of {@link allowed}. */
  async recover(): Promise<void> {
    await this.settle().catch(() => undefined);
    this.#store = Store.open(this.#where, this.#options);
    const found = this.allowed.indexOf(describeStore(this.#store));
    if (found < 0) throw new Error('the disk holds a state that it must not');
    this.#acknowledged += found;
    this.#model = (this.#models[this.#acknowledged] as Model).copy();
    this.#saved = undefined;
  }

  #step(step: StoreStep): void {
    switch (step[0]) {
      case 'await':
        return;
      case 'begin':
        if (this.#saved !== undefined) return;
        this.store.begin();
        this.#saved = this.#model.copy();
        this.#changed = false;
        return;
      case 'commit':
        if (this.#saved === undefined) return;
        this.#saved = undefined;
        if (this.#changed) this.#commit(this.#model, () => this.store.commit());
        else this.store.commit();
        return;
      case 'commitAsync':
        if (this.#saved === undefined) return;
        this.#saved = undefined;
        this.#commitAsync();
        return;
      case 'rollback':
        if (this.#saved === undefined) return;
        this.store.rollback();
        this.#model = this.#saved;
        this.#saved = undefined;
        return;
      case 'checkpoint':
        if (this.#saved !== undefined) return;
        for (const { message } of this.store.check()) throw new CorruptionError(`the check finds: ${message}`);
        return;
      case 'compact':
        if (this.#saved !== undefined) return;
        if (typeof this.#where === 'string') this.store.compact();
        else if (this.#compact !== undefined) this.#where = this.#compact(this.store);
        return;
      case 'reopen':
      case 'crash':
        this.#reopen(step[0] === 'reopen' || typeof this.#where === 'string');
        return;
      default:
        this.#change(step);
    }
  }

  #reopen(isClosed: boolean): void {
    if (this.#saved !== undefined) this.#model = this.#saved;
    this.#saved = undefined;
    if (isClosed) this.store.close();
    this.open();
  }

  #commit(model: Model, commit: () => void): void {
    const index = this.#push(model);
    commit();
    this.#acknowledged = Math.max(this.#acknowledged, index);
  }

  #commitAsync(): void {
    const index = this.#changed ? this.#push(this.#model) : 0;
    const done = this.store.commitAsync().then(() => {
      this.#acknowledged = Math.max(this.#acknowledged, index);
    });
    done.catch(() => undefined);
    this.#underWay.push(done);
  }

  #push(model: Model): number {
    this.#states.push(model.describe());
    this.#models.push(model.copy());
    return this.#states.length - 1;
  }

  #change(step: StoreStep): void {
    const next = this.#model.copy();
    const change = this.#plan(step, next);
    if (change === undefined) return;
    if (this.#saved === undefined) this.#commit(next, change);
    else change();
    this.#changed = true;
    this.#model = next;
  }

  /** Changes the model, and answers what does the same to the store; `undefined` when there is nothing to do. */
  #plan(step: StoreStep, next: Model): (() => void) | undefined {
    const { store } = this;
    switch (step[0]) {
      case 'set': {
        const [, which, key, count, value] = step;
        const tree = next.head.get(`t${which}`) ?? new Map<number, number>();
        next.head.set(`t${which}`, tree);
        for (let i = 0; i < count; i += 1) tree.set(key + i, (value + i) % 2 ** 32);
        return () => this.#inOneTransaction(() => setRun(store, step));
      }
      case 'unset': {
        const [, which, key, count] = step;
        const tree = next.head.get(`t${which}`);
        if (tree === undefined) return undefined;
        const before = tree.size;
        for (let i = 0; i < count; i += 1) tree.delete(key + i);
        const wanted = before - tree.size;
        if (wanted === 0) return undefined;
        return () => expectSame(treeOf(store, `t${which}`).deleteRange(key, key + count), wanted, 'keys deleted');
      }
      case 'drop':
        if (!next.head.delete(`t${step[1]}`)) return undefined;
        return () => store.delete(`t${step[1]}`);
      case 'element':
        return planElement(store, step, next, (change) => this.#inOneTransaction(change));
      case 'bits':
        return planBits(store, step, next, (change) => this.#inOneTransaction(change));
      case 'snapshot':
        if (next.snapshots.has(`s${step[1]}`)) return undefined;
        next.snapshots.set(`s${step[1]}`, copyState(next.head));
        return () => void store.snapshot(`s${step[1]}`);
      case 'remove':
        if (!next.snapshots.delete(`s${step[1]}`)) return undefined;
        return () => store.getSnapshot(`s${step[1]}`).remove();
      case 'restore': {
        const found = next.snapshots.get(`s${step[1]}`);
        if (found === undefined) return undefined;
        next.head = copyState(found);
        return () => store.getSnapshot(`s${step[1]}`).restore();
      }
      default:
        return undefined;
    }
  }

  #inOneTransaction(change: () => void): void {
    if (this.#saved === undefined) this.store.transact(change);
    else change();
  }
}

function setRun(store: Store, [, which, key, count, value]: Extract<StoreStep, readonly ['set', ...unknown[]]>): void {
  const tree = treeOf(store, `t${which}`);
  for (let i = 0; i < count; i += 1) tree.set(key + i, (value + i) % 2 ** 32);
}

type Together = (change: () => void) => void;

function planElement(
  store: Store,
  [, index, value]: Extract<StoreStep, readonly ['element', ...unknown[]]>,
  next: Model,
  together: Together,
): () => void {
  const array = next.head.get(ARRAY) ?? new Map<number, number>();
  next.head.set(ARRAY, array);
  for (let i = array.size; i <= index; i += 1) array.set(i, 0);
  array.set(index, value);
  return () =>
    together(() => {
      const real = arrayOf(store);
      if (real.length <= index) real.resize(index + 1, 0);
      real.set(index, value);
    });
}

function planBits(
  store: Store,
  [, begin, count, value]: Extract<StoreStep, readonly ['bits', ...unknown[]]>,
  next: Model,
  together: Together,
): () => void {
  const bits = next.head.get(BITSET) ?? new Map<number, number>([[-1, 0]]);
  next.head.set(BITSET, bits);
  const end = begin + count;
  if ((bits.get(-1) ?? 0) < end) bits.set(-1, end);
  for (let bit = begin; bit < end; bit += 1) {
    if (value === 1) bits.set(bit, 1);
    else bits.delete(bit);
  }
  return () =>
    together(() => {
      const real = store.bitset(BITSET);
      if (real.length < end) real.resize(end, false);
      real.setRange(begin, end, value === 1);
    });
}
