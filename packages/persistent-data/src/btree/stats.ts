import { type BlockReader, ShadowSet } from '../transaction-manager/index.ts';
import type { Root } from './tree-context.ts';
import { type WalkShape, walkTree } from './walk.ts';

/** Counts over one tree, all of its levels together. A node that several parents share counts once. */
export interface TreeStatistics {
  /** Nodes from the root to a leaf; with several levels the sum of the highest ones found. */
  readonly height: number;
  /** All nodes: internal ones and leaves. Each is a block. */
  readonly nrNodes: number;
  readonly nrLeaves: number;
  /** Entries of the last level. */
  readonly nrEntries: number;
  /** Sub-trees of all levels below the first. */
  readonly nrSubTrees: number;
  /** Entries in leaves (of all levels), to what they have room for; the kernel's *residency*. 0 to 1. */
  readonly leafFill: number;
  /** Entries in internal nodes, to what they have room for. 0 to 1; 1 when there are none. */
  readonly internalFill: number;
}

/**
 * Counts the nodes and entries of a tree. Reads every node once.
 * @throws {CorruptionError} when a node is not believable.
 */
export function treeStatistics(reader: BlockReader, root: Root, shape: WalkShape): TreeStatistics {
  const { levels = 1 } = shape;
  const seen = new ShadowSet();
  const heights = new Array<number>(levels).fill(0);
  let nrLeaves = 0;
  let nrInternal = 0;
  let nrEntries = 0;
  let nrSubTrees = 0;
  let leafEntries = 0;
  let leafRoom = 0;
  let children = 0;
  let childRoom = 0;
  walkTree(reader, root, shape, ({ block, node, level, depth }) => {
    if (seen.has(block)) return false;
    seen.add(block);
    heights[level] = Math.max(heights[level]!, depth + 1);
    if (level > 0 && depth === 0) nrSubTrees++;
    if (node.isLeaf) {
      nrLeaves++;
      leafEntries += node.nrEntries;
      leafRoom += node.maxEntries;
      if (level === levels - 1) nrEntries += node.nrEntries;
    } else {
      nrInternal++;
      children += node.nrEntries;
      childRoom += node.maxEntries;
    }
    return true;
  });
  return {
    height: heights.reduce((sum, height) => sum + height, 0),
    nrNodes: nrLeaves + nrInternal,
    nrLeaves,
    nrEntries,
    nrSubTrees,
    leafFill: leafEntries / leafRoom,
    internalFill: nrInternal === 0 ? 1 : children / childRoom,
  };
}
