import type { BlockScanner } from '../disk-space-map/index.ts';
import { NODE_VALIDATOR, NodeView } from '../format/index.ts';

/** No believable tree is this high. */
const MAX_HEIGHT = 32;
/** Times kept apart per tree; the oldest ones beyond are added up under the oldest kept. Bounds memory on a hostile device. */
const MAX_TIMES = 256;

/** What a tree of mappings holds, as far as choosing between trees needs to know. */
export interface TreeSummary {
  readonly nrMappings: number;
  /** Highest data block, or 0 when nothing is mapped. */
  readonly highestMapped: number;
  /** Mappings by the time they were made. */
  readonly times: ReadonlyMap<number, number>;
  /** First and last virtual block; -1 when nothing is mapped. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly height: number;
}

/** What is known of a node: that it is being looked at, that it can't be used, or what is below it. */
type Known = TreeSummary | 'open' | 'bad';

/**
 * Sums up trees of mappings that may be damaged. What was found below an internal node is remembered, so trees that share nodes, as the generations
 * of one device do, cost little more than one. A tree with anything unbelievable in it has no summary.
 */
export class TreeSummaries {
  readonly #scanner: BlockScanner;
  readonly #node: NodeView;
  readonly #known = new Map<number, Known>();

  constructor(scanner: BlockScanner) {
    this.#scanner = scanner;
    this.#node = new NodeView(scanner.slab);
  }

  /** The summary of the tree with this root; `undefined` when it is damaged, or no tree of mappings. */
  of(root: number): TreeSummary | undefined {
    return this.#visit(root, 0);
  }

  #visit(block: number, depth: number): TreeSummary | undefined {
    const known = this.#known.get(block);
    if (known !== undefined) return typeof known === 'string' ? undefined : known;
    if (depth > MAX_HEIGHT) return undefined;
    this.#known.set(block, 'open');
    const found = this.#summarize(block, depth);
    this.#known.set(block, found ?? 'bad');
    return found;
  }

  #summarize(block: number, depth: number): TreeSummary | undefined {
    if (!this.#load([block])) return undefined;
    const node = this.#node;
    node.base = this.#scanner.base(0);
    if (node.valueSize !== 8) return undefined;
    if (node.isLeaf) return summarizeLeaf(node);
    const keys = Array.from({ length: node.nrEntries }, (_, i) => node.keyAt(i));
    const children = keys.map((_, i) => node.childAt(i));
    if (new Set(children).size !== children.length) return undefined;
    const sum = new Sum();
    if (!this.#load([children[0]!])) return undefined;
    node.base = this.#scanner.base(0);
    const areLeaves = node.isLeaf;
    if (areLeaves && !this.#load(children)) return undefined;
    for (const [i, child] of children.entries()) {
      let below: TreeSummary | undefined;
      if (areLeaves) {
        node.base = this.#scanner.base(i);
        below = node.isLeaf && node.valueSize === 8 ? summarizeLeaf(node) : undefined;
      } else below = this.#visit(child, depth + 1);
      const end = keys[i + 1] ?? Number.POSITIVE_INFINITY;
      if (below === undefined || below.nrMappings === 0 || below.firstKey < keys[i]! || below.lastKey >= end)
        return undefined;
      if (!sum.add(below)) return undefined;
    }
    return sum;
  }

  #load(blocks: readonly number[]): boolean {
    const { nrBlocks } = this.#scanner.device;
    if (blocks.some((block) => block === 0 || block >= nrBlocks)) return false;
    this.#scanner.load(blocks, blocks.length);
    return blocks.every((block, i) => this.#scanner.problem(i, block, NODE_VALIDATOR) === undefined);
  }
}

/** The sum of trees that follow each other. */
class Sum implements TreeSummary {
  nrMappings = 0;
  highestMapped = 0;
  readonly times = new Map<number, number>();
  firstKey = -1;
  lastKey = -1;
  height = -1;

  /** False when it does not fit. */
  add(below: TreeSummary): boolean {
    if (this.height >= 0 && this.height !== below.height + 1) return false;
    this.height = below.height + 1;
    this.nrMappings += below.nrMappings;
    this.highestMapped = Math.max(this.highestMapped, below.highestMapped);
    if (this.firstKey < 0) this.firstKey = below.firstKey;
    if (below.firstKey <= this.lastKey) return false;
    this.lastKey = below.lastKey;
    addTimes(this.times, below.times);
    return true;
  }
}

/** Adds counts by time to others. */
export function addTimes(to: Map<number, number>, from: ReadonlyMap<number, number>): void {
  for (const [time, count] of from) to.set(time, (to.get(time) ?? 0) + count);
  if (to.size <= MAX_TIMES) return;
  const sorted = [...to.keys()].sort((a, b) => b - a);
  const oldest = sorted[MAX_TIMES - 1]!;
  for (const time of sorted.slice(MAX_TIMES)) {
    to.set(oldest, to.get(oldest)! + to.get(time)!);
    to.delete(time);
  }
}

function summarizeLeaf(node: NodeView): TreeSummary | undefined {
  const { nrEntries, words } = node;
  const times = new Map<number, number>();
  let highestMapped = 0;
  let lastKey = -1;
  const values = node.valueAt(0) >>> 2;
  let time = -1;
  let run = 0;
  for (let i = 0; i < nrEntries; i++) {
    const key = node.keyAt(i);
    if (key <= lastKey) return undefined;
    lastKey = key;
    const low = words[values + 2 * i]!;
    const block = words[values + 2 * i + 1]! * 256 + (low >>> 24);
    if (block > highestMapped) highestMapped = block;
    if ((low & 0xff_ffff) === time) run++;
    else {
      if (run > 0) times.set(time, (times.get(time) ?? 0) + run);
      time = low & 0xff_ffff;
      run = 1;
    }
  }
  if (run > 0) times.set(time, (times.get(time) ?? 0) + run);
  return {
    nrMappings: nrEntries,
    highestMapped,
    times,
    firstKey: nrEntries > 0 ? node.keyAt(0) : -1,
    lastKey,
    height: 0,
  };
}
