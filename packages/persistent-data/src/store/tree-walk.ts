import { highHalf, joinKey, lowHalf, type U64 } from '../base/index.ts';
import { Cursor, type Root } from '../btree/index.ts';
import type { RawTree } from './raw-tree.ts';

/** Bounds of a walk: half-open, and either may be a prefix. */
export interface WalkBounds {
  readonly begin?: readonly U64[] | undefined;
  readonly end?: readonly U64[] | undefined;
}

/**
 * A walk over all levels of a tree in key order, either way, which goes on correctly when the tree is changed meanwhile: it then seeks the first
 * entry beyond the last one that it showed. One cursor for each level.
 */
export class TreeWalk {
  readonly #raw: () => RawTree;
  readonly #reverse: boolean;
  readonly #begin: readonly U64[];
  readonly #end: readonly U64[] | undefined;
  #cursors: Cursor<unknown>[] = [];
  /** Of what the cursors were made: when it is not as it was, they are void. */
  #tree: RawTree | undefined;
  #version = -1;
  #started = false;
  #done = false;
  /** Keys of the entry that the walk is at. */
  readonly keyHigh: Uint32Array;
  readonly keyLow: Uint32Array;

  /** @param raw - Answers the tree as it is now; another object after a rollback. */
  constructor(raw: () => RawTree, bounds: WalkBounds, reverse: boolean) {
    const tree = raw();
    this.#raw = raw;
    this.#reverse = reverse;
    this.#begin = normal(bounds.begin ?? [], tree.levels);
    this.#end = bounds.end && normal(bounds.end, tree.levels);
    this.keyHigh = new Uint32Array(tree.levels);
    this.keyLow = new Uint32Array(tree.levels);
  }

  /** Moves to the next entry. False at the end. */
  next(): boolean {
    if (this.#done) return false;
    const raw = this.#raw();
    let found: boolean;
    if (raw === this.#tree && raw.tm.version === this.#version) found = this.#step(raw, raw.levels - 1);
    else if (this.#started) found = this.#seekBeyond(raw);
    else found = this.#seekStart(raw);
    this.#started = true;
    this.#done = !found || !this.#isInside();
    if (!this.#done) this.#note(raw);
    return !this.#done;
  }

  /** Byte offset of the entry's value in the slab, valid until the next call of the block manager. */
  get valueAt(): number {
    return this.#cursors[this.#cursors.length - 1]!.valueAt;
  }

  key(level: number): U64 {
    return joinKey(this.keyHigh[level]!, this.keyLow[level]!);
  }

  #note(raw: RawTree): void {
    this.#tree = raw;
    this.#version = raw.tm.version;
    for (let level = 0; level < this.keyHigh.length; level++) {
      this.keyHigh[level] = this.#cursors[level]!.keyHigh;
      this.keyLow[level] = this.#cursors[level]!.keyLow;
    }
  }

  #cursor(raw: RawTree, level: number, root: Root): Cursor<unknown> {
    const cursor = new Cursor<unknown>(level === raw.levels - 1 ? raw.leafTree : raw.upperLevel, root);
    this.#cursors[level] = cursor;
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

  #isInside(): boolean {
    if (!this.#reverse) return this.#end === undefined || this.#isBelow(this.#end);
    return this.#begin.length === 0 || !this.#isBelow(this.#begin);
  }

  /** Whether the cursors' keys are before a bound (an entry below a prefix is not). */
  #isBelow(bound: readonly U64[]): boolean {
    for (let level = 0; level < bound.length; level++) {
      const { keyHigh, keyLow } = this.#cursors[level]!;
      const high = highHalf(bound[level]!);
      const low = lowHalf(bound[level]!);
      if (keyHigh !== high) return keyHigh < high;
      if (keyLow !== low) return keyLow < low;
    }
    return false;
  }
}

function normal(keys: readonly U64[], levels: number): readonly U64[] {
  if (keys.length > levels) throw new TypeError(`Cannot use ${keys.length} keys: the tree has ${levels} levels`);
  return keys.map((key) => joinKey(highHalf(key), lowHalf(key)));
}
