import type { PersistentArray } from '../array/index.ts';
import { type Root, readU64, TreeDiff } from '../btree/index.ts';
import { ARRAY_VALIDATOR, ArrayBlockView } from '../format/index.ts';

/** One version of an array: its root, and how many elements count. */
export interface ArrayVersion {
  readonly root: Root;
  readonly length: number;
}

/** One element that two versions treat differently, as bytes; `undefined` where it is beyond the end. */
export interface ElementDifference {
  readonly index: number;
  readonly left: Uint8Array | undefined;
  readonly right: Uint8Array | undefined;
}

/**
 * The elements that differ between two versions of an array, in order. Blocks that both share are not read.
 *
 * @param left - `undefined` stands for an array without elements; so does `right`.
 */
export function* diffArrays(
  array: PersistentArray<Uint8Array>,
  left: ArrayVersion | undefined,
  right: ArrayVersion | undefined,
): Generator<ElementDifference, undefined> {
  const { tm, perBlock } = array;
  const { slab } = tm.blockManager;
  // The blocks first: reading their content may evict the nodes that the comparison looks at.
  const blocks: [index: number, left: number, right: number][] = [];
  const diff = new TreeDiff(array.tree, left?.root, right?.root);
  while (diff.next()) {
    const blockOf = (at: number): number => (at < 0 ? -1 : readU64(slab, at));
    blocks.push([diff.keyHigh * 0x1_0000_0000 + diff.keyLow, blockOf(diff.leftAt), blockOf(diff.rightAt)]);
  }
  // A shorter length hides elements of a block that both share.
  const shared = sharedBlockAtEnd(left?.length ?? 0, right?.length ?? 0, perBlock);
  if (shared !== undefined && !blocks.some(([index]) => index === shared)) {
    const at = array.tree.find((left ?? right)!.root, shared);
    if (at >= 0) {
      const block = readU64(slab, at);
      blocks.push([shared, block, block]);
      blocks.sort(([a], [b]) => a - b);
    }
  }
  for (const [index, leftBlock, rightBlock] of blocks) {
    const first = index * perBlock;
    const before = elementsOf(array, leftBlock, (left?.length ?? 0) - first);
    const after = elementsOf(array, rightBlock, (right?.length ?? 0) - first);
    for (let i = 0; i < Math.max(before.length, after.length); i++) {
      if (!isSame(before[i], after[i])) yield { index: first + i, left: before[i], right: after[i] };
    }
  }
}

/** The block in which the shorter of two lengths ends, if it ends inside of one. */
function sharedBlockAtEnd(left: number, right: number, perBlock: number): number | undefined {
  if (left === right) return undefined;
  const shorter = Math.min(left, right);
  return shorter % perBlock === 0 ? undefined : Math.floor(shorter / perBlock);
}

/** Copies of up to `count` elements of a block; none of block -1. */
function elementsOf(array: PersistentArray<Uint8Array>, block: number, count: number): Uint8Array[] {
  if (block < 0 || count <= 0) return [];
  const { tm, valueType } = array;
  const { slab } = tm.blockManager;
  const view = new ArrayBlockView(slab, tm.read(block, ARRAY_VALIDATOR));
  return Array.from({ length: Math.min(count, view.nrEntries) }, (_, i) => valueType.read(slab, view.valueAt(i)));
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.every((byte, i) => byte === b[i]);
}
