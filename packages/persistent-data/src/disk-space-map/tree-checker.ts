import { CorruptionError, type Finding } from '../base/index.ts';
import { type BlockValidator, MAX_METADATA_BLOCKS, NODE_HEADER, NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { BlockScanner } from './block-scanner.ts';
import { NODE_STATE, NodeMemory, type NodeSummary } from './node-memory.ts';
import { ReferenceCounter } from './reference-counter.ts';

/** No believable tree is this high. */
const MAX_HEIGHT = 32;
/** The most entries that fit into an internal node. */
const MAX_CHILDREN = 254;
const NO_END = Number.POSITIVE_INFINITY;

/** A kind of tree, as a check looks at it. Each level of nesting is a tree of its own. */
export interface CheckedTree {
  /** Tells nodes of different kinds of trees apart, 0 to 7: no block is in two. */
  readonly kind: number;
  /** Bytes of a leaf's value. */
  readonly valueSize: number;
  /** The thin device that findings name. */
  readonly device?: number;
  /** Gets each believable leaf once, however many trees share it. The view is valid during the call. */
  visitLeaf?(node: NodeView, block: number, report: (problem: LeafProblem) => void): void;
}

/** What is wrong with a leaf's values. */
export type LeafProblem = Pick<Finding, 'code' | 'message'>;

/** What a check of a tree came to. */
export interface TreeOutcome {
  /** Entries of the leaves that can be reached. */
  readonly nrEntries: number;
  /** Fatal findings, and damaged sub-trees that were met before in another tree. */
  readonly nrErrors: number;
  /** The root itself cannot be believed. */
  readonly rootIsLost: boolean;
}

export interface TreeCheckerOptions {
  /** Reports under-full nodes as warnings. Default false: they are fatal, as the tools have it. */
  readonly ignoreNonFatal?: boolean;
  /** Called after each batch of blocks, with the blocks read so far. */
  readonly onRead?: (nrRead: number) => void;
}

/** The children of one node while they are looked at: one for each height, used again and again. */
class Frame {
  /** The node. */
  block = -1;
  nrChildren = 0;
  readonly children = new Float64Array(MAX_CHILDREN);
  /** Rounded beyond 2^53. */
  readonly keys = new Float64Array(MAX_CHILDREN);
  /** 1 where no reference to the child was met before. */
  readonly isNew = new Uint8Array(MAX_CHILDREN);
  /** New children, by number and by index in `children`. */
  readonly newBlocks = new Float64Array(MAX_CHILDREN);
  readonly newIndexes = new Uint8Array(MAX_CHILDREN);
  nrNew = 0;

  /** Where the keys of child `index` end, in a node whose own keys end at `end`. */
  endOf(index: number, end: number): number {
    return index + 1 < this.nrChildren ? this.keys[index + 1]! : end;
  }
}

/**
 * Checks trees in bulk and counts all references to blocks of the metadata device on the way. One object serves all the trees of a device.
 *
 * The children of a node are read together, in order of block numbers. A node is entered when it is met first; later references to it are
 * counted, and compared with what is remembered of it. So the work is bounded by the blocks of the device, whatever they hold.
 * Takes 27 bytes of memory for a block that is a node, and one batch of 256 blocks.
 */
export class TreeChecker {
  /** Of the metadata device: how often each block is referred to, as far as was checked. */
  readonly counts: ReferenceCounter;
  readonly scanner: BlockScanner;
  /** Blocks of the device that can be referred to. */
  readonly nrBlocks: number;
  /** Nodes that could not be believed, whatever tree they belong to; and by cause. */
  nrBadNodes = 0;
  nrIoErrors = 0;
  nrChecksumErrors = 0;
  readonly #options: TreeCheckerOptions;
  readonly #memory: NodeMemory;
  readonly #node: NodeView;
  readonly #frames: Frame[] = [];
  #nrErrors = 0;

  constructor(device: BlockDevice, options: TreeCheckerOptions = {}) {
    this.nrBlocks = Math.min(device.nrBlocks, MAX_METADATA_BLOCKS);
    this.scanner = new BlockScanner(device);
    this.counts = new ReferenceCounter(this.nrBlocks);
    this.#options = options;
    this.#memory = new NodeMemory(this.nrBlocks);
    this.#node = new NodeView(this.scanner.slab);
  }

  isInside(block: number): boolean {
    return block >= 0 && block < this.nrBlocks;
  }

  /** Counts a reference to a block that is no node. Answers what is wrong with that. */
  countBlock(block: number, kind: string): Finding | undefined {
    if (!this.isInside(block)) {
      const message = `Cannot read ${kind} block ${block}: the device has ${this.nrBlocks} blocks`;
      return { severity: 'fatal', code: 'block.outside', message, block };
    }
    if (this.counts.inc(block) === 0) return undefined;
    const message = `Cannot use block ${block} as ${kind} block: something else refers to it as well`;
    return { severity: 'fatal', code: 'block.shared', message, block };
  }

  /** Reads blocks that are no nodes, at most 256, into {@link scanner}. */
  load(blocks: ArrayLike<number>, count: number): void {
    this.scanner.load(blocks, count);
    this.#options.onRead?.(this.scanner.nrRead);
  }

  /** Checks one tree, or what is new in it. */
  *check(root: number, tree: CheckedTree): Generator<Finding, TreeOutcome> {
    // The root is looked at as the only child of nothing.
    const frame = this.#frame(0);
    frame.nrChildren = 1;
    frame.children[0] = root;
    frame.keys[0] = 0;
    this.#nrErrors = 0;
    const { nrEntries } = yield* this.#children(0, NO_END, tree);
    const state = this.isInside(root) ? this.#memory.state(root) : NODE_STATE.broken;
    const isNode =
      (state === NODE_STATE.leaf || state === NODE_STATE.internal) && this.#memory.kind(root) === tree.kind;
    return { nrEntries, nrErrors: this.#nrErrors, rootIsLost: !isNode };
  }

  /** Looks at the children in the frame of this height, and at all below them that is new. The node's keys end at `end`. */
  *#children(height: number, end: number, tree: CheckedTree): Generator<Finding, NodeSummary> {
    const frame = this.#frame(height);
    this.#countChildren(frame);
    yield* this.#enterNew(frame, height, end, tree);
    for (let i = 0; i < frame.nrChildren; i++) {
      const child = frame.children[i]!;
      if (frame.isNew[i] === 0 || this.#memory.state(child) !== NODE_STATE.open) continue;
      this.#fillFrame(this.#frame(height + 1), child);
      this.#memory.summarise(child, yield* this.#children(height + 1, frame.endOf(i, end), tree));
    }
    return yield* this.#sumUp(frame, height, end, tree);
  }

  #countChildren(frame: Frame): void {
    const { children, isNew, newBlocks, newIndexes } = frame;
    let nrNew = 0;
    for (let i = 0; i < frame.nrChildren; i++) {
      const child = children[i]!;
      const isFirst = this.isInside(child) && this.counts.inc(child) === 0;
      isNew[i] = isFirst ? 1 : 0;
      if (!isFirst) continue;
      newBlocks[nrNew] = child;
      newIndexes[nrNew] = i;
      nrNew++;
    }
    frame.nrNew = nrNew;
  }

  /** Reads the new children of a frame; leaves are dealt with, internal nodes are left open. */
  *#enterNew(frame: Frame, height: number, end: number, tree: CheckedTree): Generator<Finding, void> {
    const { newBlocks, newIndexes, nrNew } = frame;
    if (nrNew === 0) return;
    this.load(newBlocks, nrNew);
    const findings: Finding[] = [];
    for (let k = 0; k < nrNew; k++) {
      const block = newBlocks[k]!;
      const at = (): Finding => this.#place(frame, height, newIndexes[k]!, end, tree);
      const problem = this.#contentProblem(k, block, tree);
      if (problem !== undefined) {
        this.#memory.set(block, tree.kind, NODE_STATE.broken);
        this.#nrErrors++;
        findings.push({ ...at(), ...problem });
      } else {
        this.#remember(block, height, tree, (leafProblem) => {
          this.#nrErrors++;
          const { keys: _reachable, ...place } = at();
          findings.push({ ...place, ...leafProblem });
        });
      }
    }
    yield* findings;
  }

  /** Why the node that {@link #node} is moved to cannot be believed, whatever refers to it. */
  #contentProblem(index: number, block: number, tree: CheckedTree): LeafProblem | undefined {
    const error = this.scanner.problem(index, block, NODE_VALIDATOR);
    const node = this.#node;
    node.base = this.scanner.base(index);
    const why = error === undefined ? shapeProblem(node, tree.valueSize) : undefined;
    if (error === undefined && why === undefined) return undefined;
    this.nrBadNodes++;
    if (error === undefined) return { code: 'btree.node', message: `Cannot use btree_node block ${block}: ${why}` };
    const isCorrupt = error instanceof CorruptionError;
    if (!isCorrupt) this.nrIoErrors++;
    else if (error.field === 'csum') this.nrChecksumErrors++;
    return { code: isCorrupt ? 'btree.node' : 'btree.io', message: error.message };
  }

  /** Takes in a node that can be believed: {@link #node} is moved to it. */
  #remember(block: number, height: number, tree: CheckedTree, report: (problem: LeafProblem) => void): void {
    const node = this.#node;
    const memory = this.#memory;
    const { nrEntries } = node;
    const isUnderfull = nrEntries < Math.floor(node.maxEntries / 3);
    if (!node.isLeaf) {
      memory.set(block, tree.kind, NODE_STATE.open, isUnderfull);
      if (height + 1 < MAX_HEIGHT) return;
      memory.set(block, tree.kind, NODE_STATE.broken);
      report({
        code: 'btree.height',
        message: `Cannot use btree_node block ${block}: ${MAX_HEIGHT} nodes are above it`,
      });
      return;
    }
    memory.set(block, tree.kind, NODE_STATE.leaf, isUnderfull);
    const first = nrEntries > 0 ? node.keyAt(0) : Number.NaN;
    const last = nrEntries > 0 ? node.keyAt(nrEntries - 1) : Number.NaN;
    let damaged = false;
    tree.visitLeaf?.(node, block, (problem) => {
      damaged = true;
      report(problem);
    });
    memory.summarise(block, { nrEntries, first, last, height: 0, damaged });
  }

  /** Judges each child by its place under this node, and adds them up. */
  *#sumUp(frame: Frame, height: number, end: number, tree: CheckedTree): Generator<Finding, NodeSummary> {
    const memory = this.#memory;
    let nrEntries = 0;
    let first = Number.NaN;
    let last = Number.NaN;
    let damaged = false;
    let below = -1;
    for (let i = 0; i < frame.nrChildren; i++) {
      const child = frame.children[i]!;
      const found = this.#judge(frame, height, i, end, tree);
      // An old kernel's node with few entries is worth a warning; wrong depth is worse.
      const isUsable = found === undefined || found.code === 'btree.underfull';
      const finding = (isUsable ? this.#judgeDepth(frame, height, i, end, tree, below) : undefined) ?? found;
      if (finding !== undefined) {
        if (finding.severity === 'fatal') this.#nrErrors++;
        damaged ||= finding.severity === 'fatal';
        yield finding;
        if (finding.code !== 'btree.underfull') continue;
      }
      const isBroken = memory.state(child) === NODE_STATE.broken;
      if (isBroken || memory.isDamaged(child)) {
        damaged = true;
        if (frame.isNew[i] === 0) this.#nrErrors++;
        if (isBroken) continue;
      }
      if (below < 0) below = memory.height(child);
      nrEntries += memory.nrEntries(child);
      if (Number.isNaN(first)) first = memory.first(child);
      if (memory.nrEntries(child) > 0) last = memory.last(child);
    }
    return { nrEntries, first, last, height: below < 0 ? -1 : below + 1, damaged };
  }

  /** All leaves of a tree are equally deep; `below` is the height of the children before, or -1. */
  #judgeDepth(
    frame: Frame,
    height: number,
    index: number,
    end: number,
    tree: CheckedTree,
    below: number,
  ): Finding | undefined {
    const child = frame.children[index]!;
    const found = this.#memory.state(child) === NODE_STATE.broken ? -1 : this.#memory.height(child);
    if (below < 0 || found < 0 || found === below) return undefined;
    const message = `Cannot use btree_node block ${child}: its leaves are ${found} below it, those of its neighbours ${below}`;
    return { ...this.#place(frame, height, index, end, tree), code: 'btree.depth', message };
  }

  /** What is wrong with child `index` at this place, if its content can be believed. */
  #judge(frame: Frame, height: number, index: number, end: number, tree: CheckedTree): Finding | undefined {
    const memory = this.#memory;
    const child = frame.children[index]!;
    const fatal = (code: string, why: string): Finding => ({
      ...this.#place(frame, height, index, end, tree),
      code,
      message: `Cannot use btree_node block ${child}: ${why}`,
    });
    if (!this.isInside(child)) return fatal('btree.child', `the device has ${this.nrBlocks} blocks`);
    const state = memory.state(child);
    if (state === NODE_STATE.unknown || memory.kind(child) !== tree.kind) {
      return fatal('btree.shared', 'something of another kind refers to it as well');
    }
    if (state === NODE_STATE.broken) return undefined;
    if (state === NODE_STATE.open) return fatal('btree.cycle', 'the same tree reaches it in two ways');
    const begin = frame.keys[index]!;
    if (memory.first(child) < begin || isBeyond(memory.last(child), frame.endOf(index, end))) {
      const keys = `${memory.first(child)} to ${memory.last(child)}`;
      const wanted = `${begin} to below ${frame.endOf(index, end)}`;
      return fatal('btree.keys', `its keys are ${keys}, its parent wants ${wanted}`);
    }
    if (height === 0 || !memory.isUnderfull(child)) return undefined;
    const { keys: _reachable, ...finding } = fatal('btree.underfull', 'less than a third of its entries are in use');
    return this.#options.ignoreNonFatal ? { ...finding, severity: 'warning' } : finding;
  }

  /** A fatal finding without text, for child `index`, with the keys that are lost with it. */
  #place(frame: Frame, height: number, index: number, end: number, tree: CheckedTree): Finding {
    const child = frame.children[index]!;
    const above = this.#frames.slice(1, height + 1).map(({ block }) => block);
    const last = frame.endOf(index, end);
    return {
      severity: 'fatal',
      code: '',
      message: '',
      block: child,
      path: [...above, child],
      ...(tree.device === undefined ? {} : { device: tree.device }),
      keys: { begin: BigInt(frame.keys[index]!), end: last === NO_END ? 1n << 64n : BigInt(last) },
    };
  }

  #frame(height: number): Frame {
    const frame = this.#frames[height] ?? new Frame();
    this.#frames[height] = frame;
    return frame;
  }

  /** Reads an internal node again, which was believed before, for its children. */
  #fillFrame(frame: Frame, block: number): void {
    this.scanner.loadOne(block);
    const node = this.#node;
    node.base = this.scanner.base(0);
    frame.block = block;
    // The device may answer something else the second time.
    const isSame = this.scanner.problem(0, block, NODE_VALIDATOR) === undefined && shapeProblem(node, 8) === undefined;
    frame.nrChildren = isSame && !node.isLeaf ? node.nrEntries : 0;
    for (let i = 0; i < frame.nrChildren; i++) {
      frame.children[i] = node.childAt(i);
      frame.keys[i] = node.keyAt(i);
    }
  }
}

/** Whether a key is at or beyond an end. Both are rounded alike beyond 2^53, where equal says nothing. */
function isBeyond(key: number, end: number): boolean {
  return key > end || (key === end && end <= Number.MAX_SAFE_INTEGER);
}

/** What is wrong with a node that has passed its validator. */
function shapeProblem(node: NodeView, valueSize: number): string | undefined {
  const { base, maxEntries, nrEntries, words } = node;
  if (maxEntries % 3 !== 0) return `maxEntries is ${maxEntries}, a multiple of 3 is wanted`;
  if (node.isLeaf && node.valueSize !== valueSize) {
    return `valueSize is ${node.valueSize}, ${valueSize} is wanted in a leaf of this tree`;
  }
  let word = base + NODE_HEADER.size / 4;
  for (let i = 1; i < nrEntries; i++, word += 2) {
    const isHigher = words[word + 3]! - words[word + 1]!;
    if (isHigher < 0 || (isHigher === 0 && words[word + 2]! <= words[word]!)) {
      return `keys are out of order at entry ${i}, rising keys are wanted`;
    }
  }
  return undefined;
}

/** Why a block that is no node cannot be believed, as a finding. */
export function badBlock(error: Error, block: number): Finding {
  const code = error instanceof CorruptionError ? 'block.content' : 'block.io';
  return { severity: 'fatal', code, message: error.message, block };
}

/** The blocks of a batch that are to be of one kind: calls `visit` with the place of each that can be believed. */
export function* visitBlocks(
  checker: TreeChecker,
  blocks: readonly number[],
  validator: BlockValidator,
  visit: (base: number, index: number) => Iterable<Finding>,
): Generator<Finding, void> {
  const { scanner } = checker;
  for (let begin = 0; begin < blocks.length; begin += scanner.capacity) {
    const batch = blocks.slice(begin, begin + scanner.capacity);
    checker.load(batch, batch.length);
    for (const [k, block] of batch.entries()) {
      const error = scanner.problem(k, block, validator);
      if (error === undefined) yield* visit(scanner.base(k), begin + k);
      else yield badBlock(error, block);
    }
  }
}
