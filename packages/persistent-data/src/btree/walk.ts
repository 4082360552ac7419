import { CorruptionError, joinKey, type U64 } from '../base/index.ts';
import { NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { BlockReader } from '../transaction-manager/index.ts';
import { ALL_KEYS, isWithin, type KeyBounds, spanOf } from './node-checks.ts';
import { wrongValueSize } from './spine.ts';
import type { Root } from './tree-context.ts';
import { MAX_HEIGHT } from './tree-path.ts';

/** What a walk goes over: how many levels, and bytes of a value of the last one. */
export interface WalkShape {
  /** Default 1. */
  readonly levels?: number;
  readonly valueSize: number;
}

/** A node that a walk has come to. One object is used for all; what is kept has to be copied. */
export interface NodeVisit {
  readonly block: number;
  /** Moved to the node; valid until the next call of the block manager. */
  readonly node: NodeView;
  /** Level of nesting, 0 to levels - 1. */
  readonly level: number;
  /** Nodes above it in its own level: 0 for the root of a (sub-)tree. */
  readonly depth: number;
  /** Keys of the upper levels that lead here. */
  readonly above: readonly U64[];
  /** Block numbers from the root of the whole tree to this node, in a new list. */
  path(): number[];
}

/** Gets each node before those below it. Answering `false` leaves out what is below. */
export type NodeVisitor = (visit: NodeVisit) => unknown;

interface Frame {
  readonly block: number;
  readonly level: number;
  readonly depth: number;
  readonly above: readonly U64[];
  readonly nrEntries: number;
  /** Where the keys end that may be below here (half-open). */
  readonly endHigh: number;
  readonly endLow: number;
  next: number;
}

/**
 * Visits the nodes of a tree of any number of levels, depth first, parents first, children in key order. Reads each node once for each
 * reference to it (a visitor that has seen a block already says `false`), holds no lock, and keeps one small record per node of the path.
 *
 * Keys below a node must lie between its parent's, so within one level no block is met twice, and the walk ends on any device.
 *
 * @throws {CorruptionError} when a node is not believable, or out of place. To go on after that, use `checkTree`.
 */
export function walkTree(reader: BlockReader, root: Root, shape: WalkShape, visitor: NodeVisitor): void {
  const { levels = 1, valueSize } = shape;
  const node = new NodeView(reader.blockManager.slab);
  const stack: Frame[] = [];
  const visit = {
    block: root,
    node,
    level: 0,
    depth: 0,
    above: [] as readonly U64[],
    path: () => pathOf(stack, visit.block),
  };

  const enter = (block: number, place: Place): void => {
    const { level, depth, above } = place;
    if (depth >= MAX_HEIGHT) throw outOfPlace(block, stack, `is deeper than ${MAX_HEIGHT} nodes`);
    node.base = reader.read(block, NODE_VALIDATOR);
    const { nrEntries } = node;
    const wanted = level < levels - 1 ? 8 : valueSize;
    if (node.isLeaf && node.valueSize !== wanted) throw wrongValueSize(block, node, wanted);
    if (nrEntries === 0 && depth > 0) throw outOfPlace(block, stack, 'has no entries');
    if (depth > 0 && !isWithin(place, spanOf(node))) {
      throw outOfPlace(block, stack, 'has keys outside the range that its parent gives it');
    }
    Object.assign(visit, { block, level, depth, above });
    if (visitor(visit) === false) return;
    // The visitor may have read other blocks.
    node.base = reader.read(block, NODE_VALIDATOR);
    if (node.isLeaf && level === levels - 1) return;
    const { endHigh, endLow } = place;
    stack.push({ block, level, depth, above, nrEntries, endHigh, endLow, next: 0 });
  };

  enter(root, { level: 0, depth: 0, above: [], ...ALL_KEYS });
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const index = frame.next++;
    if (index >= frame.nrEntries) {
      stack.pop();
      continue;
    }
    node.base = reader.read(frame.block, NODE_VALIDATOR);
    const child = node.childAt(index);
    const { level, depth, above } = frame;
    if (node.isLeaf) {
      const key = joinKey(node.keyHigh(index), node.keyLow(index));
      enter(child, { level: level + 1, depth: 0, above: [...above, key], ...ALL_KEYS });
      continue;
    }
    const isLast = index + 1 === frame.nrEntries;
    enter(child, {
      level,
      depth: depth + 1,
      above,
      beginHigh: node.keyHigh(index),
      beginLow: node.keyLow(index),
      endHigh: isLast ? frame.endHigh : node.keyHigh(index + 1),
      endLow: isLast ? frame.endLow : node.keyLow(index + 1),
    });
  }
}

/** Where a node belongs. */
interface Place extends KeyBounds {
  readonly level: number;
  readonly depth: number;
  readonly above: readonly U64[];
}

function pathOf(stack: readonly Frame[], block: number): number[] {
  return [...stack.map((frame) => frame.block), block];
}

function outOfPlace(block: number, stack: readonly Frame[], why: string): CorruptionError {
  return new CorruptionError(`Cannot walk the tree: btree_node block ${block} ${why}`, {
    block,
    kind: 'btree_node',
    path: pathOf(stack, block),
  });
}
