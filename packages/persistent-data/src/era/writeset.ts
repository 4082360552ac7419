import { PersistentArray } from '../array/index.ts';
import { BITSET_WORD } from '../bitset/index.ts';
import { readU64, type ValueType, writeU64 } from '../btree/index.ts';
import { ERA_WRITESET } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';

/** The blocks that were written in one era: a bit for each data block. */
export interface Writeset {
  /** Bits: the data blocks that there were in that era. */
  readonly nrBits: number;
  /** Block of the bitset's root; 0 where there is no writeset. */
  readonly root: number;
}

const ROOT = ERA_WRITESET.offset('root');

/** The value of the tree of archived writesets, for who only reads. */
export const WRITESET_VALUE: ValueType<Writeset> = {
  name: 'era_writeset',
  size: ERA_WRITESET.size,
  read: (slab, at) => ({ nrBits: slab.words[at >>> 2]!, root: readU64(slab, at + ROOT) }),
  write: (slab, at, { nrBits, root }) => {
    slab.words[at >>> 2] = nrBits;
    writeU64(slab, at + ROOT, root);
  },
};

/** The same for who changes: an entry holds a reference to its bitset, which goes when the entry goes. */
export function writesetType(tm: TransactionManager): ValueType<Writeset> {
  const bitsets = new PersistentArray(tm, BITSET_WORD);
  const rootAt = (slab: Parameters<typeof readU64>[0], at: number, i: number): number =>
    readU64(slab, at + i * ERA_WRITESET.size + ROOT);
  return {
    ...WRITESET_VALUE,
    inc: (slab, at, count) => {
      for (let i = 0; i < count; i++) tm.inc(rootAt(slab, at, i));
    },
    dec: (slab, at, count) => {
      for (let i = 0; i < count; i++) bitsets.delete(rootAt(slab, at, i));
    },
    equal: (slabA, atA, slabB, atB) => {
      return slabA.words[atA >>> 2] === slabB.words[atB >>> 2] && rootAt(slabA, atA, 0) === rootAt(slabB, atB, 0);
    },
  };
}
