import { CorruptionError } from '../base/index.ts';
import { forEachRun, readU64, type ValueType, writeU64 } from '../btree/index.ts';
import { ARRAY_VALIDATOR, type ArrayBlockView, arrayEntriesFor } from '../format/index.ts';
import type { BlockReader, TransactionManager } from '../transaction-manager/index.ts';

/** Moves `view` to array block `block` and makes sure that it holds values of `valueSize` bytes, as many as it has room for. */
export function readArrayBlock(reader: BlockReader, view: ArrayBlockView, block: number, valueSize: number): void {
  view.base = reader.read(block, ARRAY_VALIDATOR);
  const { maxEntries } = view;
  if (view.valueSize === valueSize && maxEntries === arrayEntriesFor(valueSize)) return;
  const found = `${maxEntries} values of ${view.valueSize} bytes`;
  const wanted = `${arrayEntriesFor(valueSize)} values of ${valueSize} bytes`;
  throw new CorruptionError(`Cannot use array_block block ${block}: it has room for ${found}, ${wanted} are wanted`, {
    block,
    kind: 'array_block',
    field: 'valueSize',
    found: view.valueSize,
    expected: valueSize,
  });
}

/**
 * What an array's tree holds: numbers of array blocks. Giving up the last reference to one gives up its elements first.
 *
 * @param view - A view of the caller's, moved about.
 */
export function arrayBlockType<V>(
  tm: TransactionManager,
  elements: ValueType<V>,
  view: ArrayBlockView,
): ValueType<number> {
  const dropElements = (block: number): void => {
    readArrayBlock(tm, view, block, elements.size);
    const base = tm.readLock(block, ARRAY_VALIDATOR);
    elements.dec?.(view.slab, view.valueAt(0), view.nrEntries);
    tm.unlock(base);
  };
  return {
    name: 'array block',
    size: 8,
    read: readU64,
    write: writeU64,
    inc: (slab, at, count) =>
      forEachRun(
        count,
        (i) => readU64(slab, at + 8 * i),
        (begin, end) => tm.incRange(begin, end),
      ),
    dec: (slab, at, count) => {
      for (let i = 0; i < count; i++) {
        const block = readU64(slab, at + 8 * i);
        if (elements.dec !== undefined && tm.ref(block) === 1) dropElements(block);
        tm.dec(block);
      }
    },
    equal: (slabA, atA, slabB, atB) => readU64(slabA, atA) === readU64(slabB, atB),
  };
}
