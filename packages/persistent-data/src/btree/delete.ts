import { CorruptionError } from '../base/index.ts';
import { NODE_VALIDATOR, NodeView } from '../format/index.ts';
import { wrongValueSize } from './spine.ts';
import type { Root, TreeContext } from './tree-context.ts';

/** A chain of nodes this long is no tree: 64 levels of one-entry nodes, or a cycle. */
const MAX_DEPTH = 64;

interface Frame {
  readonly block: number;
  readonly level: number;
  readonly nrEntries: number;
  next: number;
}

/**
 * Gives up one reference to a whole tree. What nobody else refers to is freed, depth first; a node that others refer to only loses a
 * count, and is not entered. Costs as many blocks as are freed. Not recursive, and no more than one node is locked: on a hostile disk the
 * chain of nodes may be longer than the smallest cache.
 */
export function deleteTree<V>(tree: TreeContext<V>, root: Root): void {
  const { tm, levels } = tree;
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
    node.base = tm.read(block, NODE_VALIDATOR);
    stack.push({ block, level, nrEntries: node.nrEntries, next: 0 });
    if (!node.isLeaf) tm.blockManager.prefetch(childrenOf(node), NODE_VALIDATOR);
  };

  try {
    push(root, 0);
    while (stack.length > 0) {
      const frame = stack[stack.length - 1]!;
      if (frame.next >= frame.nrEntries) {
        stack.pop();
        tm.dec(frame.block);
        continue;
      }
      node.base = tm.read(frame.block, NODE_VALIDATOR);
      if (!node.isLeaf) {
        push(node.childAt(frame.next++), frame.level);
      } else if (frame.level < levels - 1) {
        push(node.childAt(frame.next++), frame.level + 1);
      } else {
        frame.next = frame.nrEntries;
        decValues(tree, frame);
      }
    }
  } catch (error) {
    // The counts that changed stay changed: only a rollback helps.
    tm.markBroken(error);
    throw error;
  }
}

/** Gives up the values of a leaf of the last level. They are read one by one while counts change, so the leaf has to stay. */
function decValues<V>({ tm, valueType }: TreeContext<V>, { block, nrEntries }: Frame): void {
  if (!valueType.dec) return;
  const leaf = new NodeView(tm.blockManager.slab, tm.readLock(block, NODE_VALIDATOR));
  if (leaf.valueSize !== valueType.size) throw wrongValueSize(block, leaf, valueType.size);
  valueType.dec(leaf.slab, leaf.valueAt(0), nrEntries);
  tm.unlock(leaf.base);
}

function childrenOf(node: NodeView): number[] {
  return Array.from({ length: node.nrEntries }, (_, i) => node.childAt(i));
}
