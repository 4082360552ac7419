/** A store made of plain maps: what a model test compares a real one with. */

import {
  type KeyCount,
  type Store,
  type StoreState,
  type StoreTree,
  struct,
  u16,
  u32,
  u64,
} from 'persistent-data/store';
import { expect } from 'vitest';

/** Kinds of trees that a run uses; the name of a tree says its kind. */
export const SPECS = [
  { keys: 1, value: u64 },
  { keys: 2, value: u32 },
  { keys: 3, value: struct({ a: u16, b: { c: u32, d: u64 } }) },
] as const;

export type Key = readonly number[];
export type Tree = Map<string, number>;

/** A state: trees by name, and one array and one bitset, which are there once they were used. */
export interface State {
  readonly trees: Map<string, Tree>;
  array: number[] | undefined;
  bits: boolean[] | undefined;
}

export interface Model {
  head: State;
  readonly snapshots: Map<string, State>;
}

export function cloneState(state: State): State {
  const trees = new Map([...state.trees].map(([name, tree]) => [name, new Map(tree)]));
  return { trees, array: state.array?.slice(), bits: state.bits?.slice() };
}

export function cloneModel({ head, snapshots }: Model): Model {
  return {
    head: cloneState(head),
    snapshots: new Map([...snapshots].map(([name, state]) => [name, cloneState(state)])),
  };
}

/** Values as the codec of a tree's kind has them, from one number. */
export function encoded(kind: number, value: number): unknown {
  return kind === 2 ? { a: value & 0xffff, b: { c: value, d: value * 7 } } : value;
}

export function compareKeys(a: Key, b: Key): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    // A prefix is before all that begins with it.
    if (a[i] === undefined) return -1;
    if (b[i] === undefined) return 1;
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return 0;
}

export const keyOf = (text: string): number[] => text.split(',').map(Number);

export function sorted(tree: Tree): [number[], number][] {
  return [...tree].map(([key, value]): [number[], number] => [keyOf(key), value]).sort(([a], [b]) => compareKeys(a, b));
}

/** Whether a key is before an end, of which it may be a part: what is below an end's prefix is not. */
export function isBefore(key: Key, end: Key): boolean {
  for (const [level, bound] of end.entries()) if (key[level] !== bound) return key[level]! < bound;
  return false;
}

export function resized<T>(list: readonly T[], length: number, fill: T): T[] {
  return Array.from({ length }, (_, i) => (i < list.length ? list[i]! : fill));
}

export function different<T>(a: readonly T[], b: readonly T[]): number[] {
  const indexes = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => i);
  return indexes.filter((i) => a[i] !== b[i]);
}

/** The tree of this name, of the kind that its name says. */
export function openTree(
  real: StoreState,
  name: string,
): StoreTree<never, unknown> & { set(key: unknown, value: unknown): void; delete(key: unknown): boolean } {
  const spec = SPECS[Number(name.slice(1)) % SPECS.length]!;
  return real.tree(name, spec as { keys: KeyCount; value: typeof u64 }) as never;
}

export function compareModel(store: Store, model: Model): void {
  compareState(store, model.head);
  expect(store.snapshots().map(({ name }) => name)).toEqual([...model.snapshots.keys()]);
  for (const [name, state] of model.snapshots) compareState(store.getSnapshot(name), state);
}

export function compareState(real: StoreState, { trees, array, bits }: State): void {
  const sizes: [string, number][] = [...trees].map(([name, tree]) => [name, tree.size]);
  if (array !== undefined) sizes.push(['array', array.length]);
  if (bits !== undefined) sizes.push(['bits', bits.length]);
  expect(real.collections().map(({ name, size }) => [name, size])).toEqual(sizes.sort(([a], [b]) => (a < b ? -1 : 1)));
  for (const [name, tree] of trees) {
    const kind = Number(name.slice(1)) % SPECS.length;
    const wanted = sorted(tree).map(([key, value]) => [key.length === 1 ? key[0] : key, encoded(kind, value)]);
    expect([...openTree(real, name).entries()]).toEqual(wanted);
  }
  if (array !== undefined) expect([...real.array('array', { value: u32 })]).toEqual(array);
  if (bits !== undefined) expect([...real.bitset('bits')]).toEqual(bits.flatMap((bit, i) => (bit ? [i] : [])));
}
