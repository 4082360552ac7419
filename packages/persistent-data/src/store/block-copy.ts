import { CorruptionError } from '../base/index.ts';
import { ARRAY_VALIDATOR, type BlockValidator, NODE_VALIDATOR, NodeView, WORDS_PER_BLOCK } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';

/** No believable structure is this deep: eight levels of nesting, of trees of 64 nodes each. */
const MAX_DEPTH = 512;

/** What is below the leaves of a structure's last level. */
type Below = 'values' | 'array blocks';

/**
 * Copies structures block by block into another store, each block once: what shares a block there shares it here. Nodes are as full as they were. Blocks of
 * a structure lie behind one another in key order.
 */
export class BlockCopy {
  readonly #from: TransactionManager;
  readonly #to: TransactionManager;
  readonly #ensureSpace: () => void;
  /** From block to block. */
  readonly #copies = new Map<number, number>();
  readonly #node: NodeView;

  /** @param ensureSpace - Called before each block that is made. */
  constructor(from: TransactionManager, to: TransactionManager, ensureSpace: () => void) {
    this.#from = from;
    this.#to = to;
    this.#ensureSpace = ensureSpace;
    this.#node = new NodeView(from.blockManager.slab);
  }

  /** Copies a tree of so many levels, or what is new in it. The answer is the copy's root, with one reference more. */
  copy(root: number, levels: number, below: Below): number {
    return this.#copyNode(root, levels, below, 0);
  }

  #copyNode(block: number, levels: number, below: Below, depth: number): number {
    const known = this.#known(block);
    if (known !== undefined) return known;
    if (depth > MAX_DEPTH) throw new CorruptionError(`Cannot copy block ${block}: it is too deep`, { block });
    const node = this.#node;
    node.base = this.#from.read(block, NODE_VALIDATOR);
    const isLeaf = node.isLeaf;
    if (isLeaf && levels === 1 && below === 'values') return this.#copyBlock(block, NODE_VALIDATOR, []);
    const children = Array.from({ length: node.nrEntries }, (_, i) => node.childAt(i));
    const copies = children.map((child) => {
      if (isLeaf && levels === 1) return this.#known(child) ?? this.#copyBlock(child, ARRAY_VALIDATOR, []);
      return this.#copyNode(child, isLeaf ? levels - 1 : levels, below, depth + 1);
    });
    return this.#copyBlock(block, NODE_VALIDATOR, copies);
  }

  #known(block: number): number | undefined {
    const copy = this.#copies.get(block);
    if (copy === undefined) return undefined;
    this.#ensureSpace();
    this.#to.inc(copy);
    return copy;
  }

  /** Copies one block, whose children's copies are these. */
  #copyBlock(block: number, validator: BlockValidator, children: readonly number[]): number {
    this.#ensureSpace();
    const to = this.#to;
    const base = to.newBlock(validator);
    const { words } = to.blockManager.slab;
    const copy = to.blockManager.blockAt(base);
    const source = this.#from.read(block, validator);
    words.set(this.#from.blockManager.slab.words.subarray(source, source + WORDS_PER_BLOCK), base);
    const node = new NodeView(to.blockManager.slab, base);
    for (const [i, child] of children.entries()) node.setChild(i, child);
    to.unlock(base);
    this.#copies.set(block, copy);
    return copy;
  }
}
