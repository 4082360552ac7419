import type { Root } from '../btree/index.ts';
import type { ArrayBlocks } from './array-blocks.ts';

/** A length, as blocks: those that are full, and the elements in one more. */
interface Extent {
  readonly nrFull: number;
  readonly nrInLast: number;
  /** Blocks needed. */
  readonly nrBlocks: number;
}

function extentOf(length: number, perBlock: number): Extent {
  const nrFull = Math.floor(length / perBlock);
  const nrInLast = length % perBlock;
  return { nrFull, nrInLast, nrBlocks: nrInLast > 0 ? nrFull + 1 : nrFull };
}

/** Changes the length of an array, as the kernel does; new elements are copies of the prepared value. Answers the new root. */
export function resizeArray<V>(blocks: ArrayBlocks<V>, root: Root, oldLength: number, newLength: number): Root {
  if (oldLength === newLength) return root;
  const old = extentOf(oldLength, blocks.perBlock);
  const wanted = extentOf(newLength, blocks.perBlock);
  return newLength < oldLength ? shrink(blocks, root, old, wanted) : grow(blocks, root, old, wanted);
}

/**
 * As the kernel does, except where the number of full blocks stays and no partial one is left: there the kernel leaves the last block in the
 * tree, beyond the end, where a later shrink makes a gap before it. Here it is removed.
 */
function shrink<V>(blocks: ArrayBlocks<V>, root: Root, old: Extent, wanted: Extent): Root {
  let newRoot = root;
  for (let index = wanted.nrBlocks; index < old.nrBlocks; index++) newRoot = blocks.tree.remove(newRoot, index);
  if (wanted.nrInLast > 0) {
    newRoot = blocks.change(newRoot, wanted.nrFull, () => blocks.trim(wanted.nrInLast));
  }
  return newRoot;
}

function grow<V>(blocks: ArrayBlocks<V>, root: Root, old: Extent, wanted: Extent): Root {
  if (wanted.nrFull === old.nrFull) {
    return old.nrInLast > 0 ? extendLast(blocks, root, old, wanted.nrInLast) : addLast(blocks, root, wanted);
  }
  let newRoot = root;
  let index = old.nrFull;
  if (old.nrInLast > 0) {
    newRoot = extendLast(blocks, newRoot, old, blocks.perBlock);
    index++;
  }
  for (; index < wanted.nrFull; index++) newRoot = addBlock(blocks, newRoot, index, blocks.perBlock);
  return wanted.nrInLast > 0 ? addLast(blocks, newRoot, wanted) : newRoot;
}

function extendLast<V>(blocks: ArrayBlocks<V>, root: Root, old: Extent, count: number): Root {
  return blocks.change(root, old.nrFull, () => blocks.fill(count));
}

function addLast<V>(blocks: ArrayBlocks<V>, root: Root, wanted: Extent): Root {
  return addBlock(blocks, root, wanted.nrFull, wanted.nrInLast);
}

function addBlock<V>(blocks: ArrayBlocks<V>, root: Root, index: number, count: number): Root {
  blocks.begin();
  blocks.fill(count);
  return blocks.insertNew(root, index);
}
