import { assert, CorruptionError } from '../base/index.ts';
import { maxEntriesFor, NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { forEachRun, type ValueType } from './value-type.ts';

const NONE = -1;
/** No believable path is this long: eight levels of trees, each of some ten nodes in height. */
const MAX_STEPS = 128;

/**
 * The path being changed: a window of at most two write-locked nodes, parent and current. Two suffice, because a node is made
 * ready for whatever comes before the walk descends into it, so a change in a child never reaches beyond its parent.
 */
export class ShadowSpine {
  readonly #tm: TransactionManager;
  readonly #node: NodeView;
  /** Place of the parent, or -1. */
  parent = NONE;
  /** Place of the current node, or -1. */
  current = NONE;
  /** Block of the first node that was shadowed: the new root of the whole operation. */
  root = NONE;
  #steps = 0;

  constructor(tm: TransactionManager) {
    this.#tm = tm;
    this.#node = new NodeView(tm.blockManager.slab);
  }

  /** Begins a new operation. */
  begin(): void {
    // A former operation that failed leaves its window; its locks went with the rollback.
    this.parent = NONE;
    this.current = NONE;
    this.root = NONE;
    this.#steps = 0;
  }

  get hasParent(): boolean {
    return this.parent !== NONE;
  }

  /** Shadows `block`, makes it the current node, and lets go of the old parent. Children of a shared node are inc'ed. */
  step(block: number, type: ValueType<unknown>): void {
    if (++this.#steps > MAX_STEPS) {
      const message = `Cannot change tree ${this.root}: it is higher than ${MAX_STEPS} nodes, or has a cycle`;
      throw new CorruptionError(message, { block, kind: 'btree_node', field: 'height' });
    }
    if (this.parent !== NONE) this.#tm.unlock(this.parent);
    this.parent = this.current;
    this.current = shadowNode(this.#tm, block, type, this.#node);
    if (this.root === NONE) this.root = this.#tm.blockManager.blockAt(this.current);
  }

  /** Leads the parent's entry `index` to the current node, which may have moved. */
  patchParent(index: number): void {
    assert(this.parent !== NONE, 'the current node has a parent');
    this.#node.base = this.parent;
    this.#node.setChild(index, this.#tm.blockManager.blockAt(this.current));
  }

  /** Unlocks both nodes. */
  end(): void {
    if (this.parent !== NONE) this.#tm.unlock(this.parent);
    if (this.current !== NONE) this.#tm.unlock(this.current);
    this.parent = NONE;
    this.current = NONE;
  }
}

/** Shadows a node and answers its place, write-locked; when others refer to it too, all that the copy refers to is inc'ed. */
export function shadowNode(tm: TransactionManager, block: number, type: ValueType<unknown>, view: NodeView): number {
  const base = tm.shadow(block, NODE_VALIDATOR);
  const shared = tm.shadowWasShared;
  view.base = base;
  checkGeometry(tm, view, block, type);
  if (shared) incChildren(tm, view, type);
  return base;
}

/** Entries go from one sibling to the other only where both are leaves or both are not. */
export function refuseUnlike(tm: TransactionManager, one: NodeView, other: NodeView): void {
  if (one.isLeaf === other.isLeaf) return;
  const block = tm.blockManager.blockAt(other.base);
  const found = other.isLeaf ? 'leaf' : 'internal';
  throw new CorruptionError(`Cannot use btree_node block ${block}: it is ${found}, unlike its sibling`, {
    block,
    kind: 'btree_node',
    field: 'flags',
    found,
  });
}

/** Node surgery relies on the geometry that this tree's nodes have, which the block's own validator can't know. */
export function checkGeometry(tm: TransactionManager, node: NodeView, block: number, type: ValueType<unknown>): void {
  const valueSize = node.isLeaf ? type.size : 8;
  if (node.valueSize === valueSize && node.maxEntries === maxEntriesFor(valueSize)) return;
  const error = wrongValueSize(block, node, valueSize);
  tm.markBroken(error);
  throw error;
}

/** A node whose values are not those of the tree that led to it. */
export function wrongValueSize(block: number, node: NodeView, wanted: number): CorruptionError {
  const found = `${node.maxEntries} values of ${node.valueSize} bytes`;
  const expected = `${maxEntriesFor(wanted)} values of ${wanted} bytes`;
  return new CorruptionError(`Cannot use btree_node block ${block}: it has room for ${found}, ${expected} are wanted`, {
    block,
    kind: 'btree_node',
    field: 'valueSize',
    found: node.valueSize,
    expected: wanted,
  });
}

/** Adds one reference to everything that a node refers to: child blocks, or what its values stand for. */
export function incChildren(tm: TransactionManager, node: NodeView, type: ValueType<unknown>): void {
  const { nrEntries } = node;
  if (nrEntries === 0) return;
  if (node.isLeaf) {
    type.inc?.(node.slab, node.valueAt(0), nrEntries);
  } else {
    forEachRun(
      nrEntries,
      (i) => node.childAt(i),
      (begin, end) => tm.incRange(begin, end),
    );
  }
}
