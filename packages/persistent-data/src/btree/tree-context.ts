import { assert, highHalf, lowHalf, Slab, TWO_POW_32, type U64 } from '../base/index.ts';
import { MAX_VALUE_SIZE, maxEntriesFor, NodeView } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { Finger } from './finger.ts';
import { ShadowSpine } from './spine.ts';
import { blockReferenceType, type ValueType } from './value-type.ts';

/** Keys of a tree of n levels: n of them, outermost first; of a tree of one level also the key by itself. */
export type Keys = U64 | readonly U64[];

/** A block number: the root of a tree. Each update answers a new one, and the old one must not be used again. */
export type Root = number;

/** The most levels a tree may have. */
export const MAX_LEVELS = 8;

/**
 * What the algorithms of one tree share: its kind, and scratch space made once, so that no operation allocates. A tree's algorithms
 * are not re-entered: value types whose `dec` deletes another tree use another context.
 */
export class TreeContext<V> {
  readonly tm: TransactionManager;
  readonly levels: number;
  readonly valueType: ValueType<V>;
  /** Entries that a leaf of the last level has room for. */
  readonly maxLeafEntries: number;
  /** The type of the values of each level: block references, and in the last one the tree's own. */
  readonly levelTypes: readonly ValueType<unknown>[];
  /** Upper and lower half of each key of the running operation. */
  readonly keyHigh: Uint32Array;
  readonly keyLow: Uint32Array;
  /** Holds the new value of an insert. */
  readonly scratch: Slab;
  readonly spine: ShadowSpine;
  readonly finger: Finger;
  readonly node: NodeView;
  /** Index of the entry that was found for removal, in the leaf `node`. */
  leafIndex = -1;
  readonly left: NodeView;
  readonly center: NodeView;
  readonly right: NodeView;

  constructor(tm: TransactionManager, levels: number, valueType: ValueType<V>) {
    if (!(Number.isInteger(levels) && levels >= 1 && levels <= MAX_LEVELS)) {
      throw new RangeError(`Cannot make a tree: levels is ${levels}, an integer from 1 to ${MAX_LEVELS} is wanted`);
    }
    const { size } = valueType;
    if (!(Number.isInteger(size) && size >= 1 && size <= MAX_VALUE_SIZE)) {
      throw new RangeError(`Cannot make a tree: the value size is ${size} bytes, 1 to ${MAX_VALUE_SIZE} are supported`);
    }
    this.tm = tm;
    this.levels = levels;
    this.valueType = valueType;
    this.maxLeafEntries = maxEntriesFor(size);
    const reference = blockReferenceType(tm);
    this.levelTypes = Array.from({ length: levels }, (_, level) => (level === levels - 1 ? valueType : reference));
    this.keyHigh = new Uint32Array(levels);
    this.keyLow = new Uint32Array(levels);
    this.scratch = Slab.ofSize((size + 3) & ~3);
    const { slab } = tm.blockManager;
    this.spine = new ShadowSpine(tm);
    this.finger = new Finger(levels);
    this.node = new NodeView(slab);
    this.left = new NodeView(slab);
    this.center = new NodeView(slab);
    this.right = new NodeView(slab);
  }

  /** Splits the keys of an operation into halves. `levels` may be fewer than the tree's. */
  setKeys(keys: Keys, levels = this.levels): void {
    if (typeof keys === 'object') {
      if (keys.length !== levels) {
        throw new TypeError(`Cannot use ${keys.length} keys: the tree has ${levels} levels`);
      }
      for (let level = 0; level < levels; level++) {
        this.keyHigh[level] = highHalf(keys[level]!);
        this.keyLow[level] = lowHalf(keys[level]!);
      }
      return;
    }
    if (levels !== 1) throw new TypeError(`Cannot use one key: the tree has ${levels} levels`);
    if (typeof keys === 'number' && keys >= 0 && keys <= Number.MAX_SAFE_INTEGER && Math.floor(keys) === keys) {
      this.keyHigh[0] = keys / TWO_POW_32;
      this.keyLow[0] = keys;
      return;
    }
    this.keyHigh[0] = highHalf(keys);
    this.keyLow[0] = lowHalf(keys);
  }

  levelType(level: number): ValueType<unknown> {
    const type = this.levelTypes[level];
    assert(type !== undefined, 'the level exists');
    return type;
  }
}
