import { CorruptionError } from '../base/index.ts';
import { Btree, MAX_LEVELS, type Root } from '../btree/index.ts';
import { MAX_VALUE_SIZE } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import type { Descriptor } from './catalogue.ts';
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
  if (valueSize < 1 || valueSize > MAX_VALUE_SIZE) wrong('valueSize', valueSize, `1 to ${MAX_VALUE_SIZE} bytes`);
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
  return {
    empty: (shape) => treeOf(shape).empty(),
    delete: (descriptor) => treeOf(descriptor).delete(descriptor.root),
    load: (branchId, id, descriptor) => {
      checkShape(descriptor);
      return new RawTree(tm, branchId, id, descriptor);
    },
  };
}
