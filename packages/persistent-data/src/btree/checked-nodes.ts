const PAGE_SHIFT = 12;
const PAGE_MASK = (1 << PAGE_SHIFT) - 1;

/** What is known of a node that was checked, with all below it. */
export interface NodeSummary {
  /** Levels of nesting from this node's on, so 1 in the last level. */
  readonly levelsLeft: number;
  /** Internal nodes from this one down to a leaf of its level: 0 for a leaf; -1 when unknown. */
  readonly height: number;
  /** Whether something fatal is wrong with the node or below it. */
  readonly damaged: boolean;
  /** Entries of the last level, below this node. */
  readonly nrEntries: number;
  /** The first and the last key below it in its own level, in halves. Of an empty or damaged node nothing is known: `nrKeys` is 0. */
  readonly nrKeys: number;
  readonly firstHigh: number;
  readonly firstLow: number;
  readonly lastHigh: number;
  readonly lastLow: number;
}

/**
 * Remembers the nodes that were checked, so that each is entered once however many trees share it. One object serves all the trees of a
 * device. Memory: 4 bytes per block of the device where nodes are near each other, and some 100 bytes per node.
 */
export class CheckedNodes {
  readonly #pages: (Int32Array | undefined)[] = [];
  readonly #summaries: NodeSummary[] = [];

  /** Nodes known. */
  get size(): number {
    return this.#summaries.length;
  }

  get(block: number): NodeSummary | undefined {
    // A reference may hold any number; no device has this block, and the shifts below would take it for another.
    if (block >= 0x8000_0000) return undefined;
    const page = this.#pages[block >>> PAGE_SHIFT];
    return page === undefined ? undefined : this.#summaries[page[block & PAGE_MASK]! - 1];
  }

  set(block: number, summary: NodeSummary): void {
    const index = block >>> PAGE_SHIFT;
    let page = this.#pages[index];
    if (page === undefined) {
      page = new Int32Array(1 << PAGE_SHIFT);
      this.#pages[index] = page;
    }
    const known = page[block & PAGE_MASK]!;
    if (known > 0) {
      this.#summaries[known - 1] = summary;
      return;
    }
    this.#summaries.push(summary);
    page[block & PAGE_MASK] = this.#summaries.length;
  }
}
