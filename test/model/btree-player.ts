/**
 * Versions of a btree and models of them made of plain maps, side by side. Each step is data, so that a failing run prints what it did; each
 * does the same to both, and compares; then every version is checked, and every reference count is derived from the trees alone.
 */

import type { U64 } from 'persistent-data/base';
import {
  Btree,
  CheckedNodes,
  Cursor,
  checkTree,
  diffTrees,
  insertMany,
  rangeNested,
  removeRange,
  type ValueType,
} from 'persistent-data/btree';
import { expect } from 'vitest';
import { countedType, referenceCounts, ScratchSpace } from '../structures/scratch-space.ts';

/** Keys as text, so that plain maps hold them. */
type Model = Map<string, number>;

interface Version {
  root: number;
  model: Model;
}

/** One step. `on` chooses a version; `at` the key: its last-level part, and by that the upper ones. */
export type Step =
  | { readonly do: 'insert'; readonly on: number; readonly at: number; readonly count: number; readonly stride: number }
  | {
      readonly do: 'insertMany';
      readonly on: number;
      readonly at: number;
      readonly count: number;
      readonly stride: number;
    }
  | { readonly do: 'remove'; readonly on: number; readonly at: number; readonly count: number }
  | {
      readonly do: 'removeRange';
      readonly on: number;
      readonly at: number;
      readonly length: number;
      readonly depth: number;
    }
  | { readonly do: 'removeLeaves'; readonly on: number; readonly at: number; readonly length: number }
  | { readonly do: 'look'; readonly on: number; readonly at: number }
  | { readonly do: 'diff'; readonly on: number; readonly other: number }
  | { readonly do: 'snapshot' | 'drop'; readonly on: number }
  | { readonly do: 'commit' | 'rollback' | 'reopen' };

const MAX_VERSIONS = 4;
/** Upper keys: so few that sub-trees become large. */
const NR_UPPER = 3;

function cloneVersions(versions: readonly Version[]): Version[] {
  return versions.map(({ root, model }) => ({ root, model: new Map(model) }));
}

function keyText(keys: readonly U64[]): string {
  return keys.join(',');
}

function compareKeys(a: string, b: string): number {
  const x = a.split(',');
  const y = b.split(',');
  const i = x.findIndex((part, index) => part !== y[index]);
  return i < 0 ? 0 : Number(x[i]) - Number(y[i]);
}

export class TreePlayer {
  readonly #levels: number;
  readonly #size: number;
  readonly #space = new ScratchSpace({ nrBlocks: 16384, cacheBlocks: 512 });
  /** What the values refer to: how often each thing is referred to. */
  readonly #things = new Map<number, number>();
  readonly #valueType: ValueType<number>;
  #tree: Btree<number>;
  #versions: Version[];
  #committed: { versions: Version[]; things: Map<number, number> };
  #values = 0;

  constructor(size: number, levels: number) {
    this.#size = size;
    this.#levels = levels;
    this.#valueType = countedType(size, this.#things);
    this.#tree = this.#open();
    this.#versions = [{ root: this.#tree.empty(), model: new Map() }];
    this.#committed = { versions: [], things: new Map() };
    this.#commit();
  }

  /** Does a step, compares, and checks everything. */
  play(step: Step): void {
    this.#do(step);
    this.#checkAll();
  }

  /** Compares all versions entry by entry, drops them, and looks for what is left behind. */
  finish(): void {
    for (const version of this.#versions) this.#compare(version);
    for (const { root } of this.#versions) this.#tree.delete(root);
    expect(this.#space.counts()).toEqual(new Map([[0, 1]]));
    expect(this.#things.size).toBe(0);
  }

  #open(): Btree<number> {
    return new Btree(this.#space.tm, { valueType: this.#valueType, levels: this.#levels });
  }

  #do(step: Step): void {
    switch (step.do) {
      case 'insert':
        this.#insert(this.#on(step.on), this.#keys(step.at, step.count, step.stride));
        break;
      case 'insertMany':
        this.#insertMany(this.#on(step.on), this.#keys(step.at, step.count, step.stride));
        break;
      case 'remove':
        this.#remove(this.#on(step.on), step.at, step.count);
        break;
      case 'removeRange':
        this.#removeRange(this.#on(step.on), step.at, step.length, step.depth);
        break;
      case 'removeLeaves':
        this.#removeLeaves(this.#on(step.on), step.at, step.length);
        break;
      case 'look':
        this.#look(this.#on(step.on), step.at);
        break;
      case 'diff':
        this.#diff(this.#on(step.on), this.#on(step.other));
        break;
      case 'snapshot':
        this.#snapshot(this.#on(step.on));
        break;
      case 'drop':
        this.#drop(step.on);
        break;
      case 'commit':
        this.#commit();
        break;
      case 'rollback':
        this.#reopen();
        break;
      case 'reopen':
        this.#commit();
        this.#reopen();
        break;
    }
  }

  #on(on: number): Version {
    return this.#versions[on % this.#versions.length]!;
  }

  #above(at: number): number[] {
    return Array.from({ length: this.#levels - 1 }, (_, level) => (at + level) % NR_UPPER);
  }

  /** Lists of keys in one sub-tree. */
  #keys(at: number, count: number, stride: number): number[][] {
    const above = this.#above(at);
    return Array.from({ length: count }, (_, i) => [...above, at + i * stride]);
  }

  /** A value for a key, which carries a reference; none where it is the one that is there already. */
  #fresh(model: Model, key: string): number {
    const value = this.#values++ % (this.#size === 1 ? 200 : 5000);
    if (model.get(key) !== value) this.#things.set(value, (this.#things.get(value) ?? 0) + 1);
    model.set(key, value);
    return value;
  }

  #insert(version: Version, keys: number[][]): void {
    for (const key of keys) {
      const isNew = !version.model.has(keyText(key));
      version.root = this.#tree.insert(version.root, key, this.#fresh(version.model, keyText(key)));
      expect(this.#tree.insertWasNew).toBe(isNew);
    }
    this.#compare(version);
  }

  #insertMany(version: Version, keys: number[][]): void {
    if (keys.length === 0) return;
    const nrNew = keys.filter((key) => !version.model.has(keyText(key))).length;
    const entries = keys.map((key) => [key.at(-1)!, this.#fresh(version.model, keyText(key))] as const);
    const outcome = insertMany(this.#tree, version.root, entries, keys[0]!.slice(0, -1));
    version.root = outcome.root;
    expect(outcome.nrNew).toBe(nrNew);
    this.#compare(version);
  }

  /** One by one, those that are there: from the one nearest to `at` on. */
  #remove(version: Version, at: number, count: number): void {
    const keys = [...version.model.keys()].sort(compareKeys);
    const first = keys.findIndex((key) => Number(key.split(',').at(-1)) >= at);
    for (const key of keys.slice(Math.max(first, 0), Math.max(first, 0) + count)) {
      version.root = this.#tree.remove(version.root, key.split(',').map(Number));
      version.model.delete(key);
    }
    expect(() => this.#tree.remove(version.root, [...this.#above(at), 1e9])).toThrow('it is not in the tree');
    this.#compare(version);
  }

  #removeRange(version: Version, at: number, length: number, depth: number): void {
    // `depth` upper keys are given; fewer than there are take out whole sub-trees.
    const above = this.#above(at).slice(0, depth);
    const isBottom = above.length === this.#levels - 1;
    const begin = isBottom ? at : at % NR_UPPER;
    const end = begin + (isBottom ? length : length % NR_UPPER);
    const gone = [...version.model.keys()].filter((key) => {
      const parts = key.split(',').map(Number);
      return above.every((part, i) => parts[i] === part) && parts[above.length]! >= begin && parts[above.length]! < end;
    });
    const outcome = removeRange(this.#tree, version.root, { above, begin, end });
    version.root = outcome.root;
    // Sub-trees may be there without an entry, and count too.
    if (isBottom) expect(outcome.count).toBe(gone.length);
    for (const key of gone) version.model.delete(key);
    this.#compare(version);
  }

  #removeLeaves(version: Version, at: number, length: number): void {
    if (this.#levels !== 1) return;
    const gone = [...version.model.keys()].filter((key) => Number(key) >= at && Number(key) < at + length);
    let count = 0;
    for (let next = this.#tree.lookupNext(version.root, at); next && Number(next.key) < at + length; ) {
      const outcome = this.#tree.removeLeaves(version.root, next.key, at + length);
      version.root = outcome.root;
      count += outcome.count;
      next = this.#tree.lookupNext(version.root, at);
    }
    expect(count).toBe(gone.length);
    for (const key of gone) version.model.delete(key);
    this.#compare(version);
  }

  /** All look-ups around one key, and a cursor that turns round there. */
  #look({ root, model }: Version, at: number): void {
    const tree = this.#tree;
    const above = this.#above(at);
    const prefix = above.length > 0 ? `${keyText(above)},` : '';
    const keys = [...model.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => Number(key.slice(prefix.length)))
      .sort((a, b) => a - b);
    const entry = (key: number | undefined) => key !== undefined && { key, value: model.get(prefix + key) };
    const next = keys.find((key) => key >= at);
    const previous = keys.findLast((key) => key <= at);
    const wanted = [...above, at];
    expect(tree.lookup(root, wanted)).toBe(model.get(keyText(wanted)));
    expect(tree.lookupNext(root, wanted) ?? false).toEqual(entry(next));
    expect(tree.lookupPrevious(root, wanted) ?? false).toEqual(entry(previous));
    expect([tree.firstKey(root, above), tree.lastKey(root, above)]).toEqual([keys[0], keys.at(-1)]);
    const sub = tree.subTree(root, above) ?? (above.length === 0 ? root : undefined);
    if (sub === undefined) return;
    const cursor = new Cursor(tree, sub);
    const seen: (number | undefined)[] = [];
    const here = (more: boolean) => seen.push(more ? Number(cursor.key) : undefined);
    here(cursor.seek(at));
    for (let i = 0; i < 3; i++) here(cursor.next());
    here(cursor.seekAtMost(at));
    for (let i = 0; i < 3; i++) here(cursor.previous());
    here(cursor.seekLast());
    here(cursor.seekFirst());
    const up = keys.filter((key) => key >= at);
    const down = keys.filter((key) => key <= at).reverse();
    const four = (list: number[]) => Array.from({ length: 4 }, (_, i) => list[i]);
    expect(seen).toEqual([...four(up), ...four(down), keys.at(-1), keys[0]]);
  }

  #diff(left: Version, right: Version): void {
    const found = [...diffTrees(this.#tree, left.root, right.root)].map(({ keys, ...values }) => [
      keyText(keys),
      values,
    ]);
    const keys = [...new Set([...left.model.keys(), ...right.model.keys()])].sort(compareKeys);
    const wanted = keys
      .filter((key) => left.model.get(key) !== right.model.get(key))
      .map((key) => [key, { left: left.model.get(key), right: right.model.get(key) }]);
    expect(found).toEqual(wanted);
  }

  #snapshot({ root, model }: Version): void {
    if (this.#versions.length >= MAX_VERSIONS) return;
    this.#space.tm.inc(root);
    this.#versions.push({ root, model: new Map(model) });
  }

  #drop(on: number): void {
    if (this.#versions.length === 1) return;
    const [version] = this.#versions.splice(on % this.#versions.length, 1);
    this.#tree.delete(version!.root);
  }

  #commit(): void {
    this.#space.commit();
    this.#committed = { versions: cloneVersions(this.#versions), things: new Map(this.#things) };
  }

  /** Opens the last commit, with nothing in the cache. */
  #reopen(): void {
    this.#space.reopen();
    this.#tree = this.#open();
    this.#versions = cloneVersions(this.#committed.versions);
    this.#things.clear();
    for (const [thing, count] of this.#committed.things) this.#things.set(thing, count);
  }

  #compare({ root, model }: Version): void {
    const found: [string, number][] = [];
    for (const [keys, value] of rangeNested(this.#tree, root)) found.push([keyText(keys), value]);
    expect(found).toEqual([...model].sort((a, b) => compareKeys(a[0], b[0])));
  }

  #checkAll(): void {
    const { tm, blockManager } = this.#space;
    const nodes = new CheckedNodes();
    for (const { root } of this.#versions) {
      expect([...checkTree(tm, root, { levels: this.#levels, valueSize: this.#size, nodes })]).toEqual([]);
    }
    const things = new Map<number, number>();
    const trees = this.#versions.map(({ root }) => ({
      root,
      levels: this.#levels,
      leaf: (node: Parameters<NonNullable<Parameters<typeof referenceCounts>[1][number]['leaf']>>[0]) => {
        for (let i = 0; i < node.nrEntries; i++) {
          const thing = this.#valueType.read(node.slab, node.valueAt(i));
          things.set(thing, (things.get(thing) ?? 0) + 1);
        }
      },
    }));
    expect(referenceCounts(this.#space, trees)).toEqual(this.#space.counts());
    expect(things).toEqual(this.#things);
    expect(blockManager.nrLocked).toBe(0);
  }
}
