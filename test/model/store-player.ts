/**
 * A store and a model of it made of plain maps, side by side. Each step is data, so that a failing run prints what it did; each does the same
 * to both, and compares.
 */

import { MemoryDevice } from 'persistent-data/io';
import { Store, type StoreState, u32 } from 'persistent-data/store';
import { expect } from 'vitest';
import {
  cloneModel,
  cloneState,
  compareKeys,
  compareModel,
  compareState,
  different,
  encoded,
  isBefore,
  type Key,
  keyOf,
  type Model,
  openTree,
  resized,
  SPECS,
  type State,
  sorted,
} from './store-model.ts';

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
  | {
      readonly do: 'array' | 'bits';
      readonly on: number;
      readonly begin: number;
      readonly count: number;
      readonly value: number;
    }
  | { readonly do: 'resize'; readonly on: number; readonly length: number; readonly value: number }
  | { readonly do: 'diff'; readonly on: number; readonly other: number }
  | { readonly do: 'snapshot' | 'remove' | 'restore'; readonly on: number }
  | { readonly do: 'begin' | 'commit' | 'commitAsync' | 'rollback' | 'reopen' | 'kill' | 'view' | 'readOnly' };

export interface PlayerOptions {
  readonly cacheBytes?: number;
  readonly journalBlocks?: number;
}

export class StorePlayer {
  model: Model = { head: { trees: new Map(), array: undefined, bits: undefined }, snapshots: new Map() };
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
      case 'array':
        this.#setElements(step);
        break;
      case 'bits':
        this.#setBits(step);
        break;
      case 'resize':
        this.#resize(step);
        break;
      case 'diff':
        this.#diff(step.on, step.other);
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
    if (!state.trees.has(name)) {
      if (!create) return undefined;
      state.trees.set(name, new Map());
    }
    const kind = which % SPECS.length;
    const handle = openTree(real, name);
    return { handle, tree: state.trees.get(name)!, kind };
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
    this.#change(change);
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
    if (!state.trees.delete(`t${tree}`)) return;
    const handle = openTree(real, `t${tree}`);
    real.delete(`t${tree}`);
    expect(() => handle.size).toThrow('no such collection');
  }

  /** Does a change as one transaction: in the running one, or in one of its own. */
  #change(change: () => void): void {
    if (this.#saved !== undefined) change();
    else this.store.transact(change);
  }

  #setElements({ on, begin, count, value }: Extract<Step, { do: 'array' | 'bits' }>): void {
    const { real, state } = this.#state(on);
    this.#change(() => {
      const array = real.array('array', { value: u32, length: 700, fill: 7 });
      state.array ??= Array<number>(700).fill(7);
      for (let i = begin; i < Math.min(begin + count, state.array.length); i++) {
        array.set(i, value + i);
        state.array[i] = value + i;
      }
    });
  }

  #setBits({ on, begin, count, value }: Extract<Step, { do: 'array' | 'bits' }>): void {
    const { real, state } = this.#state(on);
    this.#change(() => {
      const bits = real.bitset('bits', { length: 700 });
      state.bits ??= Array<boolean>(700).fill(false);
      const from = Math.min(begin, state.bits.length);
      const to = Math.min(begin + count, state.bits.length);
      if (value % 3 === 0 && from < to) bits.set(from, value % 2 === 0);
      else bits.setRange(from, to, value % 2 === 0);
      state.bits.fill(value % 2 === 0, from, value % 3 === 0 ? Math.min(from + 1, to) : to);
    });
  }

  #resize({ on, length, value }: Extract<Step, { do: 'resize' }>): void {
    const { real, state } = this.#state(on);
    this.#change(() => {
      if (state.array !== undefined) real.array('array', { value: u32 }).resize(length, value);
      if (state.bits !== undefined) real.bitset('bits').resize(length, value % 2 === 0);
    });
    state.array &&= resized(state.array, length, value);
    state.bits &&= resized(state.bits, length, value % 2 === 0);
  }

  /** Two states: what differs between the trees that both have. */
  #diff(on: number, other: number): void {
    const before = this.#state(on);
    const after = this.#state(other);
    const diff = this.store.diff(before.real, after.real);
    for (const [name, tree] of before.state.trees) {
      const now = after.state.trees.get(name);
      if (now === undefined) continue;
      const keys = new Set([...tree.keys(), ...now.keys()]);
      const wanted = [...keys]
        .filter((key) => tree.get(key) !== now.get(key))
        .sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
      const found = [...diff.tree(name)].map(({ key }) => String(key));
      expect(found).toEqual(wanted);
    }
    const { array, bits } = before.state;
    if (array !== undefined && after.state.array !== undefined) {
      expect([...diff.array('array')].map(({ index }) => index)).toEqual(different(array, after.state.array));
    }
    if (bits !== undefined && after.state.bits !== undefined) {
      expect([...diff.bitset('bits')].map(({ index }) => index)).toEqual(different(bits, after.state.bits));
    }
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
