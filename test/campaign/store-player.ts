/** Plays a script on a Store and on plain maps at once. */

import { CorruptionError } from 'persistent-data/base';
import type { BlockDevice } from 'persistent-data/io';
import { Store, type StoreOptions } from 'persistent-data/store';
import { expectSame } from 'persistent-data/testing';
import { ARRAY, arrayOf, BITSET, copyState, describeStore, StoreModel, treeOf } from './store-contents.ts';
import type { StoreStep } from './store-script.ts';

/** Steps that wait for commits that are under way, so that what follows is known to be later. */
const WAITING: ReadonlySet<StoreStep[0]> = new Set(['await', 'checkpoint', 'compact', 'reopen', 'crash']);

/** Compacts a store that lies on a device; answers the device that it lies on now. */
export type Compact = (store: Store) => BlockDevice;

/** Plays the steps of a script on a store and on a model of it, and knows which states the disk may hold. */
export class StorePlayer {
  /** Where the store lies. One that was opened by its path is never opened again without being closed. */
  #where: BlockDevice | string;
  readonly #options: StoreOptions;
  readonly #compact: Compact | undefined;
  #store: Store | undefined;
  #model = new StoreModel();
  /** What a rollback goes back to; there while a transaction runs. */
  #saved: StoreModel | undefined;
  #states: string[] = [''];
  #models: StoreModel[] = [new StoreModel()];
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
    this.#model = (this.#models[this.#acknowledged] as StoreModel).copy();
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

  #commit(model: StoreModel, commit: () => void): void {
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

  #push(model: StoreModel): number {
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
  #plan(step: StoreStep, next: StoreModel): (() => void) | undefined {
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
  next: StoreModel,
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
  next: StoreModel,
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
