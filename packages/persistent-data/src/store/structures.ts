import { PersistentArray } from '../array/index.ts';
import { CorruptionError } from '../base/index.ts';
import { Btree, MAX_LEVELS, type Root } from '../btree/index.ts';
import { MAX_VALUE_SIZE } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import type { Descriptor } from './catalogue.ts';
import { RawArray } from './raw-array.ts';
import { BITSET_VALUE_SIZE, RawBitset } from './raw-bitset.ts';
import type { RawCollection } from './raw-collection.ts';
import { opaqueType, RawTree } from './raw-tree.ts';

/** The shape of a structure: what its blocks have to be read with. */
export type Shape = Pick<Descriptor, 'kind' | 'levels' | 'valueSize'>;

/** What a catalogue's entries lead to, by kind. */
export interface Structures {
  /** Makes an empty structure and answers its root. */
  empty(shape: Shape): Root;
  /** Gives up one reference to a structure; frees what nobody else refers to. */
  delete(descriptor: Descriptor): void;
  /** The structure as a collection of a branch, in core. */
  load(branchId: number, id: number, descriptor: Descriptor): RawCollection;
}

function checkShape({ kind, levels, valueSize }: Shape): void {
  const wrong = (field: string, found: number, wanted: string): never => {
    throw new CorruptionError(`Cannot read store_descriptor: ${field} of a ${kind} is ${found}, ${wanted} is wanted`, {
      kind: 'store_descriptor',
      field,
      found,
    });
  };
  if (levels < 1 || levels > MAX_LEVELS) wrong('levels', levels, `1 to ${MAX_LEVELS}`);
  if (kind !== 'tree' && levels !== 1) wrong('levels', levels, '1');
  if (kind === 'bitset' && valueSize !== BITSET_VALUE_SIZE) wrong('valueSize', valueSize, `${BITSET_VALUE_SIZE}`);
  if (valueSize < 1 || valueSize > MAX_VALUE_SIZE) wrong('valueSize', valueSize, `1 to ${MAX_VALUE_SIZE} bytes`);
}

function checkSizes({ count, length }: Descriptor): void {
  if (Number.isSafeInteger(count) && Number.isSafeInteger(length)) return;
  const message = `Cannot read store_descriptor: its count is ${count}, its length ${length}, both below 2^53 are wanted`;
  throw new CorruptionError(message, { kind: 'store_descriptor', field: 'length', found: length });
}

/** The kinds of structure over one transaction manager. */
export function structuresOf(tm: TransactionManager): Structures {
  const trees = new Map<string, Btree<Uint8Array>>();
  const treeOf = (shape: Shape): Btree<Uint8Array> => {
    checkShape(shape);
    const { levels, valueSize } = shape;
    const key = `${levels} ${valueSize}`;
    const known = trees.get(key);
    if (known !== undefined) return known;
    const tree = new Btree(tm, { levels, valueType: opaqueType(valueSize) });
    trees.set(key, tree);
    return tree;
  };
  const arrays = new Map<number, PersistentArray<Uint8Array>>();
  const arrayOf = (shape: Shape): PersistentArray<Uint8Array> => {
    checkShape(shape);
    const known = arrays.get(shape.valueSize);
    if (known !== undefined) return known;
    const array = new PersistentArray(tm, opaqueType(shape.valueSize));
    arrays.set(shape.valueSize, array);
    return array;
  };
  const kindOf = (shape: Shape) => (shape.kind === 'tree' ? treeOf(shape) : arrayOf(shape));
  return {
    empty: (shape) => kindOf(shape).empty(),
    delete: (descriptor) => kindOf(descriptor).delete(descriptor.root),
    load: (branchId, id, descriptor) => {
      checkShape(descriptor);
      checkSizes(descriptor);
      switch (descriptor.kind) {
        case 'tree':
          return new RawTree(tm, branchId, id, descriptor);
        case 'array':
          return new RawArray(tm, branchId, id, descriptor);
        case 'bitset':
          return new RawBitset(tm, branchId, id, descriptor);
      }
    },
  };
}
