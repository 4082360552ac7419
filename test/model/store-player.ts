/**
 * A store and a model of it made of plain maps, side by side. Each step is data, so that a failing run prints what it did; each does the same
 * to both, and compares.
 */

import { MemoryDevice } from 'persistent-data/io';
import { type KeyCount, Store, type StoreState, type StoreTree, struct, u16, u32, u64 } from 'persistent-data/store';
import { expect } from 'vitest';

/** Kinds of trees that a run uses; the name of a tree says its kind. */
const SPECS = [
  { keys: 1, value: u64 },
  { keys: 2, value: u32 },
  { keys: 3, value: struct({ a: u16, b: { c: u32, d: u64 } }) },
] as const;

type Key = readonly number[];
type Tree = Map<string, number>;
type State = Map<string, Tree>;

interface Model {
  head: State;
  readonly snapshots: Map<string, State>;
}

/** One step. `on` is a number that chooses a state: the head, or one of the snapshots there are. */
export type Step =
  | {
      readonly do: 'set';
      readonly on: number;
      readonly tree: number;
      readonly key: Key;
      readonly count: number;
      readonly value: number;
    }
  | { readonly do: 'delete'; readonly on: number; readonly tree: number; readonly pick: number }
  | { readonly do: 'deleteRange'; readonly on: number; readonly tree: number; readonly begin: Key; readonly end: Key }
  | { readonly do: 'clear' | 'drop'; readonly on: number; readonly tree: number }
  | { readonly do: 'snapshot' | 'remove' | 'restore'; readonly on: number }
  | { readonly do: 'begin' | 'commit' | 'commitAsync' | 'rollback' | 'reopen' | 'kill' | 'view' | 'readOnly' };

function cloneState(state: State): State {
  return new Map([...state].map(([name, tree]) => [name, new Map(tree)]));
}

function cloneModel({ head, snapshots }: Model): Model {
  return {
    head: cloneState(head),
    snapshots: new Map([...snapshots].map(([name, state]) => [name, cloneState(state)])),
  };
}

/** Values as the codec of a tree's kind has them, from one number. */
function encoded(kind: number, value: number): unknown {
  return kind === 2 ? { a: value & 0xffff, b: { c: value, d: value * 7 } } : value;
}

function compareKeys(a: Key, b: Key): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    // A prefix is before all that begins with it.
    if (a[i] === undefined) return -1;
    if (b[i] === undefined) return 1;
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return 0;
}

const keyOf = (text: string): number[] => text.split(',').map(Number);

function sorted(tree: Tree): [number[], number][] {
  return [...tree].map(([key, value]): [number[], number] => [keyOf(key), value]).sort(([a], [b]) => compareKeys(a, b));
}

export interface PlayerOptions {
  readonly cacheBytes?: number;
  readonly journalBlocks?: number;
}

export class StorePlayer {
  model: Model = { head: new Map(), snapshots: new Map() };
  device = new MemoryDevice({ nrBlocks: 0 });
  store: Store;
  readonly #options: PlayerOptions;
  /** The model as it was when the running transaction began. */
  #saved: Model | undefined;
  #nrSnapshots = 0;
  readonly #asyncCommits: Promise<void>[] = [];
  readonly #views: { readonly state: State; readonly view: StoreState & { close(): void } }[] = [];

  constructor(options: PlayerOptions = {}) {
    this.#options = options;
    this.store = Store.open(this.device, options);
  }

  /** What a crash now would leave, as the model has it. */
  get committed(): Model {
    return this.#saved ?? this.model;
  }

  async play(step: Step): Promise<void> {
    switch (step.do) {
      case 'set':
        this.#set(step);
        break;
      case 'delete':
        this.#delete(step);
        break;
      case 'deleteRange':
        this.#deleteRange(step);
        break;
      case 'clear':
        this.#tree(step)?.handle.clear();
        this.#tree(step)?.tree.clear();
        break;
      case 'drop':
        this.#drop(step);
        break;
      case 'snapshot':
        this.#snapshot(step.on);
        break;
      case 'remove':
        this.#remove(step.on);
        break;
      case 'restore':
        this.#restore(step.on);
        break;
      case 'view':
        this.#view();
        break;
      case 'readOnly':
        this.#compareReadOnly();
        break;
      default:
        await this.#transaction(step.do);
    }
  }

  /** Whether everything is as the model has it, and nothing is wrong in the store. */
  compare(): void {
    compareModel(this.store, this.model);
    for (const { state, view } of this.#views) compareState(view, state);
  }

  check(): void {
    if (this.#saved === undefined) expect([...this.store.check()]).toEqual([]);
  }

  async #transaction(what: 'begin' | 'commit' | 'commitAsync' | 'rollback' | 'reopen' | 'kill'): Promise<void> {
    const { store } = this;
    switch (what) {
      case 'begin':
        if (this.#saved !== undefined) return;
        this.#saved = cloneModel(this.model);
        store.begin();
        return;
      case 'commit':
        if (this.#saved === undefined) return;
        store.commit();
        this.#saved = undefined;
        return;
      case 'commitAsync':
        if (this.#saved === undefined) return;
        this.#asyncCommits.push(store.commitAsync());
        this.#saved = undefined;
        return;
      case 'rollback':
        if (this.#saved === undefined) return;
        store.rollback();
        this.model = this.#saved;
        this.#saved = undefined;
        return;
      case 'reopen':
        store.close();
        break;
      case 'kill':
        await this.settle();
        this.device = this.device.fork();
    }
    if (what === 'reopen') {
      this.device = this.device.fork();
      await this.settle();
    }
    this.model = this.#saved ?? this.model;
    this.#saved = undefined;
    this.#views.length = 0;
    this.store = Store.open(this.device, this.#options);
  }

  /** Waits for what was committed asynchronously. */
  async settle(): Promise<void> {
    await Promise.all(this.#asyncCommits.splice(0));
  }

  #state(on: number): { readonly real: StoreState; readonly state: State } {
    const names = [...this.model.snapshots.keys()];
    const index = on % (names.length + 1);
    if (index === 0) return { real: this.store, state: this.model.head };
    const name = names[index - 1]!;
    return { real: this.store.getSnapshot(name), state: this.model.snapshots.get(name)! };
  }

  #tree({ on, tree: which }: { readonly on: number; readonly tree: number }, create = false) {
    const { real, state } = this.#state(on);
    const name = `t${which}`;
    if (!state.has(name)) {
      if (!create) return undefined;
      state.set(name, new Map());
    }
    const kind = which % SPECS.length;
    const handle = open(real, name);
    return { handle, tree: state.get(name)!, kind };
  }

  #set({ on, tree, key, count, value }: Extract<Step, { do: 'set' }>): void {
    const found = this.#tree({ on, tree }, true)!;
    const levels = SPECS[found.kind]!.keys;
    const change = (): void => {
      for (let i = 0; i < count; i++) {
        const keys = Array.from({ length: levels }, (_, level) => key[level]! + (level === levels - 1 ? i : 0));
        found.handle.set(levels === 1 ? keys[0]! : keys, encoded(found.kind, value + i));
        found.tree.set(keys.join(','), value + i);
      }
    };
    if (this.#saved !== undefined) change();
    else this.store.transact(change);
  }

  #delete({ on, tree, pick }: Extract<Step, { do: 'delete' }>): void {
    const found = this.#tree({ on, tree });
    if (found === undefined || found.tree.size === 0) return;
    const text = [...found.tree.keys()][pick % found.tree.size]!;
    const keys = keyOf(text);
    expect(found.handle.delete(keys.length === 1 ? keys[0]! : keys)).toBe(true);
    expect(found.handle.delete(keys.length === 1 ? keys[0]! : keys)).toBe(false);
    found.tree.delete(text);
  }

  #deleteRange({ on, tree, begin, end }: Extract<Step, { do: 'deleteRange' }>): void {
    const found = this.#tree({ on, tree });
    if (found === undefined) return;
    const levels = SPECS[found.kind]!.keys;
    const from = begin.slice(0, levels);
    const to = end.slice(0, levels);
    const gone = sorted(found.tree).filter(([key]) => compareKeys(key, from) >= 0 && isBefore(key, to));
    expect(found.handle.deleteRange(from, to)).toBe(gone.length);
    for (const [key] of gone) found.tree.delete(key.join(','));
  }

  #drop({ on, tree }: { readonly on: number; readonly tree: number }): void {
    const { real, state } = this.#state(on);
    if (!state.delete(`t${tree}`)) return;
    const handle = open(real, `t${tree}`);
    real.delete(`t${tree}`);
    expect(() => handle.size).toThrow('no such collection');
  }

  #snapshot(on: number): void {
    const { real, state } = this.#state(on);
    const name = `s${++this.#nrSnapshots}`;
    (real as Store).snapshot(name);
    this.model.snapshots.set(name, cloneState(state));
  }

  #remove(on: number): void {
    const names = [...this.model.snapshots.keys()];
    if (names.length === 0) return;
    const name = names[on % names.length]!;
    this.store.getSnapshot(name).remove();
    this.model.snapshots.delete(name);
  }

  #restore(on: number): void {
    const names = [...this.model.snapshots.keys()];
    if (names.length === 0) return;
    const name = names[on % names.length]!;
    this.store.getSnapshot(name).restore();
    this.model.head = cloneState(this.model.snapshots.get(name)!);
  }

  #view(): void {
    if (this.#saved !== undefined) return;
    if (this.#views.length >= 2) this.#views.shift()!.view.close();
    else this.#views.push({ state: cloneState(this.model.head), view: this.store.view() });
  }

  /** The disk as a crash now would leave it, opened read-only, and then for writing. */
  #compareReadOnly(): void {
    if (this.#asyncCommits.length > 0) return;
    const image = this.device.fork();
    const before = image.toBytes();
    const readOnly = Store.open(image, { ...this.#options, readOnly: true });
    compareModel(readOnly, this.committed);
    readOnly.close();
    expect(Buffer.compare(image.toBytes(), before)).toBe(0);
    const again = Store.open(image, this.#options);
    compareModel(again, this.committed);
    expect([...again.check()]).toEqual([]);
    again.close();
  }
}

function open(
  real: StoreState,
  name: string,
): StoreTree<never, unknown> & { set(key: unknown, value: unknown): void; delete(key: unknown): boolean } {
  const spec = SPECS[Number(name.slice(1)) % SPECS.length]!;
  return real.tree(name, spec as { keys: KeyCount; value: typeof u64 }) as never;
}

/** Whether a key is before an end, of which it may be a part: what is below an end's prefix is not. */
function isBefore(key: Key, end: Key): boolean {
  for (const [level, bound] of end.entries()) if (key[level] !== bound) return key[level]! < bound;
  return false;
}

function compareModel(store: Store, model: Model): void {
  compareState(store, model.head);
  expect(store.snapshots().map(({ name }) => name)).toEqual([...model.snapshots.keys()]);
  for (const [name, state] of model.snapshots) compareState(store.getSnapshot(name), state);
}

function compareState(real: StoreState, state: State): void {
  expect(real.collections().map(({ name, size }) => [name, size])).toEqual(
    [...state].map(([name, tree]) => [name, tree.size] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  for (const [name, tree] of state) {
    const kind = Number(name.slice(1)) % SPECS.length;
    const wanted = sorted(tree).map(([key, value]) => [key.length === 1 ? key[0] : key, encoded(kind, value)]);
    expect([...open(real, name).entries()]).toEqual(wanted);
  }
}
