import { AssertionError, compareHalves, highHalf, joinKey, lowHalf, type Slab, type U64 } from '../base/index.ts';
import { Cursor, type Root } from '../btree/index.ts';
import type { RawTree } from './raw-tree.ts';

/** Bounds of a walk: half-open, and either may be a prefix. */
export interface WalkBounds {
  readonly begin?: readonly U64[] | undefined;
  readonly end?: readonly U64[] | undefined;
  /** From the largest keys to the smallest. Default false. */
  readonly reverse?: boolean;
}

/**
 * A walk over all levels of a tree in key order, either way, which goes on correctly when the tree is changed meanwhile: it then seeks the first
 * entry beyond the last one that it showed. One cursor for each level. Begin it first; it may be begun again.
 *
 * A step to an entry of the same leaf asks only whether anything has changed: the bounds were looked for in the leaf when it was entered.
 */
export class TreeWalk {
  #raw: () => RawTree = notBegun;
  #reverse = false;
  #begin: readonly U64[] = [];
  #end: readonly U64[] | undefined;
  readonly #cursors: Cursor<unknown>[] = [];
  /** The cursor of the last level. */
  #bottom: Cursor<unknown> | undefined;
  /** Entries that follow in the bottom cursor's leaf, within the bounds. */
  #left = 0;
  #version = -1;
  #started = false;
  #done = true;
  /** The tree that the walk is in: when it is not the one of now, the cursors are void. */
  tree: RawTree | undefined;
  /** Keys of the entry that the walk is at. */
  keyHigh = new Uint32Array(0);
  keyLow = new Uint32Array(0);

  /**
   * Puts the walk before the first entry within the bounds.
   *
   * @param raw - Answers the tree as it is now; another object after a rollback.
   */
  begin(raw: () => RawTree, { begin = [], end, reverse = false }: WalkBounds): void {
    const { levels } = raw();
    this.#raw = raw;
    this.#reverse = reverse;
    this.#begin = normal(begin, levels);
    this.#end = end && normal(end, levels);
    this.#left = 0;
    this.#started = false;
    this.#done = false;
    if (this.keyHigh.length !== levels) {
      this.keyHigh = new Uint32Array(levels);
      this.keyLow = new Uint32Array(levels);
    }
  }

  /** Moves to the next entry. False at the end. */
  next(): boolean {
    const raw = this.#raw();
    if (this.#left === 0 || raw !== this.tree || raw.tm.version !== this.#version) return this.#nextRun(raw);
    this.#left--;
    const cursor = this.#bottom!;
    if (this.#reverse) cursor.previous();
    else cursor.next();
    const last = this.keyHigh.length - 1;
    this.keyHigh[last] = cursor.keyHigh;
    this.keyLow[last] = cursor.keyLow;
    return true;
  }

  /** The memory that {@link valueAt} leads into. */
  get slab(): Slab {
    return this.tree!.slab;
  }

  /** Byte offset of the entry's value in the slab, valid until the next call of the block manager. */
  get valueAt(): number {
    return this.#bottom!.valueAt;
  }

  key(level: number): U64 {
    return joinKey(this.keyHigh[level]!, this.keyLow[level]!);
  }

  /** To the next entry by all levels' cursors: at the beginning, in the next leaf, after a change. */
  #nextRun(raw: RawTree): boolean {
    if (this.#done) return false;
    let found: boolean;
    if (!this.#started) found = this.#seekStart(this.#enter(raw));
    else if (raw === this.tree && raw.tm.version === this.#version) found = this.#step(raw, raw.levels - 1);
    else found = this.#seekBeyond(this.#enter(raw));
    this.#started = true;
    this.#version = raw.tm.version;
    const inside = found ? this.#nrInside() : 0;
    this.#done = inside === 0;
    if (this.#done) return false;
    this.#left = inside - 1;
    for (let level = 0; level < raw.levels; level++) {
      this.keyHigh[level] = this.#cursors[level]!.keyHigh;
      this.keyLow[level] = this.#cursors[level]!.keyLow;
    }
    return true;
  }

  /** Takes the tree as the one that cursors are made for. */
  #enter(raw: RawTree): RawTree {
    if (raw !== this.tree) this.#cursors.length = 0;
    this.tree = raw;
    this.#left = 0;
    return raw;
  }

  #cursor(raw: RawTree, level: number, root: Root): Cursor<unknown> {
    let cursor = this.#cursors[level];
    const isBottom = level === raw.levels - 1;
    if (cursor === undefined) {
      cursor = new Cursor<unknown>(isBottom ? raw.leafTree : raw.upperLevel, root);
      this.#cursors[level] = cursor;
    } else cursor.restart(root);
    if (isBottom) this.#bottom = cursor;
    return cursor;
  }

  /** From an entry of this level to the next, going up where a sub-tree ends. */
  #step(raw: RawTree, level: number): boolean {
    for (let at = level; at >= 0; at--) {
      const cursor = this.#cursors[at]!;
      while (this.#reverse ? cursor.previous() : cursor.next()) if (this.#descendEdge(raw, at)) return true;
    }
    return false;
  }

  /** Goes down the first (or last) entries below the cursor of this level. False when there is an empty sub-tree. */
  #descendEdge(raw: RawTree, level: number): boolean {
    for (let at = level; at < raw.levels - 1; at++) {
      const next = this.#cursor(raw, at + 1, this.#cursors[at]!.value as Root);
      if (!(this.#reverse ? next.seekLast() : next.seekFirst())) return this.#step(raw, at);
    }
    return true;
  }

  #seekStart(raw: RawTree): boolean {
    if (!this.#reverse) return this.#seek(raw, this.#begin);
    return this.#end === undefined ? this.#seek(raw, []) : this.#seekBefore(raw, this.#end);
  }

  /** Backward: to the last entry before these keys; what is below them as a prefix is not before. */
  #seekBefore(raw: RawTree, keys: readonly U64[]): boolean {
    let root = raw.root;
    for (let level = 0; level < keys.length; level++) {
      const key = keys[level]!;
      const cursor = this.#cursor(raw, level, root);
      if (!cursor.seekAtMost(key)) return this.#stepAbove(raw, level);
      const isExact = cursor.keyHigh === highHalf(key) && cursor.keyLow === lowHalf(key);
      if (!isExact) return this.#descendEdge(raw, level);
      if (level === keys.length - 1) return this.#step(raw, level);
      root = cursor.value as Root;
    }
    // No keys at all: nothing is before everything.
    return false;
  }

  #seekBeyond(raw: RawTree): boolean {
    const last = Array.from({ length: raw.levels }, (_, level) => this.key(level));
    if (!this.#seek(raw, last)) return false;
    const isSame = last.every((key, level) => {
      const cursor = this.#cursors[level]!;
      return cursor.keyHigh === highHalf(key) && cursor.keyLow === lowHalf(key);
    });
    return isSame ? this.#step(raw, raw.levels - 1) : true;
  }

  /** Forward: to the first entry whose keys are at least these (a prefix stands for the first below it); backward: the last at most these. */
  #seek(raw: RawTree, keys: readonly U64[]): boolean {
    let root = raw.root;
    for (let level = 0; level < raw.levels; level++) {
      const key = keys[level];
      const cursor = this.#cursor(raw, level, root);
      if (key === undefined) {
        if (!(this.#reverse ? cursor.seekLast() : cursor.seekFirst())) return this.#stepAbove(raw, level);
      } else {
        if (!(this.#reverse ? cursor.seekAtMost(key) : cursor.seek(key))) return this.#stepAbove(raw, level);
        const isExact = cursor.keyHigh === highHalf(key) && cursor.keyLow === lowHalf(key);
        if (!isExact) return this.#descendEdge(raw, level);
      }
      if (level < raw.levels - 1) root = cursor.value as Root;
    }
    return true;
  }

  #stepAbove(raw: RawTree, level: number): boolean {
    return level > 0 && this.#step(raw, level - 1);
  }

  /** Entries of the bottom cursor's leaf, from its own on, that are within the bounds on the walk's far side. */
  #nrInside(): number {
    const bottom = this.#bottom!;
    const rest = this.#reverse ? bottom.nrBefore : bottom.nrAfter;
    const bound = this.#reverse ? this.#begin : this.#end;
    // No bound at all; backward an empty one is none too, and forward it is before everything.
    if (bound === undefined || (this.#reverse && bound.length === 0)) return rest + 1;
    const last = this.keyHigh.length - 1;
    for (let level = 0; level < Math.min(bound.length, last); level++) {
      const { keyHigh, keyLow } = this.#cursors[level]!;
      const order = compareHalves(keyHigh, keyLow, highHalf(bound[level]!), lowHalf(bound[level]!));
      if (order !== 0) return order < 0 !== this.#reverse ? rest + 1 : 0;
    }
    // What is below a prefix is not before it.
    if (bound.length <= last) return this.#reverse ? rest + 1 : 0;
    const before = bottom.nrBelow(bound[last]!);
    return this.#reverse ? Math.max(bottom.nrBefore + 1 - before, 0) : Math.max(before - bottom.nrBefore, 0);
  }
}

function notBegun(): never {
  throw new AssertionError('a walk is begun before it steps');
}

function normal(keys: readonly U64[], levels: number): readonly U64[] {
  if (keys.length > levels) throw new TypeError(`Cannot use ${keys.length} keys: the tree has ${levels} levels`);
  return keys.map((key) => joinKey(highHalf(key), lowHalf(key)));
}
