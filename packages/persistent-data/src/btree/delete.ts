import { CorruptionError } from '../base/index.ts';
import { NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { Root, TreeContext } from './tree-context.ts';

/** A chain of nodes this long is no tree: 64 levels of one-entry nodes, or a cycle. */
const MAX_DEPTH = 64;

interface Frame {
  readonly block: number;
  /** Place of the node, read-locked. */
  readonly base: number;
  readonly level: number;
  readonly nrEntries: number;
  next: number;
}

/**
 * Gives up one reference to a whole tree. What nobody else refers to is freed, depth first; a node that others refer to only loses a
 * count, and is not entered. Costs as many blocks as are freed. Not recursive.
 */
export function deleteTree<V>(tree: TreeContext<V>, root: Root): void {
  const { tm, levels, valueType } = tree;
  const node = new NodeView(tm.blockManager.slab);
  const stack: Frame[] = [];

  const push = (block: number, level: number): void => {
    if (tm.ref(block) > 1) {
      tm.dec(block);
      return;
    }
    if (stack.length >= MAX_DEPTH) {
      const path = stack.map((frame) => frame.block);
      throw new CorruptionError(`Cannot delete tree ${root}: it is deeper than ${MAX_DEPTH} nodes`, { block, path });
    }
    node.base = tm.readLock(block, NODE_VALIDATOR);
    stack.push({ block, base: node.base, level, nrEntries: node.nrEntries, next: 0 });
    if (!node.isLeaf) tm.blockManager.prefetch(childrenOf(node), NODE_VALIDATOR);
  };

  try {
    push(root, 0);
    while (stack.length > 0) {
      const frame = stack[stack.length - 1]!;
      node.base = frame.base;
      if (frame.next >= frame.nrEntries) {
        stack.pop();
        tm.unlock(frame.base);
        tm.dec(frame.block);
      } else if (!node.isLeaf) {
        push(node.childAt(frame.next++), frame.level);
      } else if (frame.level < levels - 1) {
        push(node.childAt(frame.next++), frame.level + 1);
      } else {
        frame.next = frame.nrEntries;
        valueType.dec?.(node.slab, node.valueAt(0), frame.nrEntries);
      }
    }
  } catch (error) {
    // The counts that changed stay changed: only a rollback helps.
    tm.markBroken(error);
    throw error;
  }
}

function childrenOf(node: NodeView): number[] {
  return Array.from({ length: node.nrEntries }, (_, i) => node.childAt(i));
}
