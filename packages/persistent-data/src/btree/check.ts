import { CorruptionError, DeviceError, type Finding, joinKey, type U64 } from '../base/index.ts';
import { NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { BlockReader } from '../transaction-manager/index.ts';
import { CheckedNodes, type NodeSummary } from './checked-nodes.ts';
import {
  ALL_KEYS,
  isWithin,
  type KeyBounds,
  type KeySpan,
  keyRange,
  NO_SPAN,
  nodeProblems,
  spanOf,
} from './node-checks.ts';
import type { Root } from './tree-context.ts';
import { MAX_HEIGHT } from './tree-path.ts';

export interface CheckOptions {
  /** Levels of nesting. Default 1. */
  readonly levels?: number;
  /** Bytes of a value of the last level. */
  readonly valueSize: number;
  /** Nodes that were checked before, with another tree of this device: those are not entered again. Default: none. */
  readonly nodes?: CheckedNodes;
  /** Called for every reference to a node, also to one that was checked before or can't be read; the root's included. */
  readonly onBlock?: (block: number) => void;
  /** Called once for each usable leaf of the last level. `node` is valid during the call; `above` are the keys of the upper levels. */
  readonly onLeafValues?: (node: NodeView, above: readonly U64[]) => void;
  /** Put before the path in each finding: blocks that lead to the root. */
  readonly path?: readonly number[];
}

/** What a check has counted: what is reachable, as far as it is. */
export interface CheckedTree {
  /** Entries of the last level; those below shared nodes count each time. */
  readonly nrEntries: number;
  /** Whether something fatal was found. */
  readonly damaged: boolean;
}

/** An internal node, or a leaf of an upper level, whose children are being checked. */
interface Frame extends KeyBounds {
  readonly block: number;
  readonly level: number;
  readonly depth: number;
  readonly above: readonly U64[];
  readonly isLeaf: boolean;
  readonly nrChildren: number;
  next: number;
  // What is known so far of everything below.
  nrEntries: number;
  damaged: boolean;
  height: number;
  nrKeys: number;
  firstHigh: number;
  firstLow: number;
  lastHigh: number;
  lastLow: number;
}

/** Where a reference leads and what it promises. */
interface Reference {
  readonly block: number;
  readonly level: number;
  readonly depth: number;
  readonly above: readonly U64[];
  readonly bounds: KeyBounds;
}

/**
 * Checks every invariant of a tree, going on after the first finding: nodes that can't be read or are of another kind, order and number of
 * keys, keys outside their parent's range, sizes of values, depth of leaves, cycles, nodes used at two places that don't agree.
 * Reference counts are the caller's to compare: `onBlock` tells the references.
 *
 * Every node is read once, in bounded memory (a frame per level of the tree, a record per node), and no lock is held, so the findings can be
 * taken at leisure as long as nothing is changed meanwhile. Never throws for what the disk holds.
 *
 * It reads through the cache, so what is not committed is seen too, any u64 is a key, and levels of nesting are one tree. A device at rest, with all its
 * trees and counts, is checked in bulk, past the cache: `TreeChecker` of disk-space-map.
 *
 * Codes, all fatal unless said: `btree.node` (unreadable, or found damaged before), `btree.value-size`, `btree.max-entries` (a warning when it
 * is only unusual), `btree.keys`, `btree.empty`, `btree.underfull` (warning), `btree.key-range`, `btree.depth`, `btree.cycle`, `btree.shared`.
 */
export function* checkTree(
  reader: BlockReader,
  root: Root,
  options: CheckOptions,
): Generator<Finding, CheckedTree, undefined> {
  const checker = new TreeCheck(reader, options);
  checker.enter({ block: root, level: 0, depth: 0, above: [], bounds: ALL_KEYS });
  do {
    if (checker.findings.length > 0) yield* checker.findings.splice(0);
  } while (checker.step());
  return { nrEntries: checker.nrEntries, damaged: checker.damaged };
}

class TreeCheck {
  readonly findings: Finding[] = [];
  nrEntries = 0;
  damaged = false;
  readonly #reader: BlockReader;
  readonly #options: CheckOptions;
  readonly #levels: number;
  readonly #nodes: CheckedNodes;
  readonly #node: NodeView;
  readonly #stack: Frame[] = [];
  /** Depth at which the leaves of the (sub-)tree being checked lie, per level; -1 before the first. */
  readonly #leafDepth: number[];

  constructor(reader: BlockReader, options: CheckOptions) {
    this.#reader = reader;
    this.#options = options;
    this.#levels = options.levels ?? 1;
    this.#nodes = options.nodes ?? new CheckedNodes();
    this.#node = new NodeView(reader.blockManager.slab);
    this.#leafDepth = new Array<number>(this.#levels).fill(-1);
  }

  /** Checks the next child. False when there is none left. */
  step(): boolean {
    const frame = this.#stack.at(-1);
    if (frame === undefined) return false;
    if (frame.next >= frame.nrChildren) this.#leave(frame);
    else this.#enterChild(frame, frame.next++);
    return true;
  }

  /** Follows one reference. */
  enter(reference: Reference): void {
    const { block, level, depth, bounds } = reference;
    this.#options.onBlock?.(block);
    if (depth === 0) this.#leafDepth[level] = -1;
    if (this.#isOnPath(block)) {
      this.#report(reference, 'btree.cycle', 'is on the way to itself');
      return;
    }
    const known = this.#nodes.get(block);
    if (known !== undefined) {
      this.#enterKnown(reference, known);
      return;
    }
    if (!this.#read(reference)) return;
    const node = this.#node;
    const valueSize = level < this.#levels - 1 ? 8 : this.#options.valueSize;
    let unusable = false;
    for (const problem of nodeProblems(node, { valueSize, isRoot: depth === 0 })) {
      this.#report(reference, problem.code, problem.text, problem.severity);
      unusable ||= problem.unusable;
    }
    if (!unusable && depth >= MAX_HEIGHT) {
      this.#report(reference, 'btree.depth', `is deeper than ${MAX_HEIGHT} nodes`);
      unusable = true;
    }
    if (unusable) {
      this.#remember(reference, damagedSummary(this.#levels - level));
      return;
    }
    const span = spanOf(node);
    if (node.nrEntries > 0 && !isWithin(bounds, span)) this.#reportRange(reference);
    if (node.isLeaf) this.#checkLeafDepth(reference, 0);
    if (node.isLeaf && level === this.#levels - 1) {
      this.#finishLeaf(reference, span);
      return;
    }
    this.#push(reference);
  }

  #isOnPath(block: number): boolean {
    for (const frame of this.#stack) if (frame.block === block) return true;
    return false;
  }

  #read(reference: Reference): boolean {
    const { block, level } = reference;
    try {
      this.#node.base = this.#reader.read(block, NODE_VALIDATOR);
      return true;
    } catch (error) {
      if (!(error instanceof CorruptionError || error instanceof DeviceError)) throw error;
      this.#reportText(reference, 'btree.node', error.message);
      if (block < this.#reader.blockManager.nrBlocks) this.#remember(reference, damagedSummary(this.#levels - level));
      return false;
    }
  }

  /** A node that is shared, with another tree or within this one: what is known of it has to fit here as well. */
  #enterKnown(reference: Reference, known: NodeSummary): void {
    const { level, depth, bounds } = reference;
    if (known.levelsLeft !== this.#levels - level) {
      this.#report(reference, 'btree.shared', 'is a node of another level of nesting as well');
      return;
    }
    if (known.damaged) this.#report(reference, 'btree.node', 'is damaged, or what is below it, as was found before');
    else if (known.nrKeys === 0 && depth > 0)
      this.#report(reference, 'btree.empty', 'has no entries and is not the root');
    if (known.nrKeys > 0 && !isWithin(bounds, known)) this.#reportRange(reference);
    if (known.height >= 0) this.#checkLeafDepth(reference, known.height);
    this.#addToParent(known);
  }

  #checkLeafDepth(reference: Reference, height: number): void {
    const { level, depth } = reference;
    const leafDepth = depth + height;
    const others = this.#leafDepth[level]!;
    if (others < 0) this.#leafDepth[level] = leafDepth;
    else if (others !== leafDepth) {
      this.#report(reference, 'btree.depth', `has leaves at depth ${leafDepth}, others are at ${others}`);
    }
  }

  #finishLeaf(reference: Reference, span: KeySpan): void {
    const { nrEntries } = this.#node;
    this.#remember(reference, {
      levelsLeft: 1,
      height: 0,
      damaged: false,
      nrEntries,
      nrKeys: nrEntries,
      ...span,
    });
    this.#options.onLeafValues?.(this.#node, reference.above);
  }

  #push({ block, level, depth, above, bounds }: Reference): void {
    const node = this.#node;
    const { isLeaf, nrEntries } = node;
    const children = Array.from({ length: nrEntries }, (_, i) => node.childAt(i));
    const span = isLeaf ? spanOf(node) : NO_SPAN;
    this.#stack.push({
      block,
      level,
      depth,
      above,
      ...bounds,
      isLeaf,
      nrChildren: nrEntries,
      next: 0,
      nrEntries: 0,
      damaged: false,
      height: isLeaf ? 0 : -1,
      nrKeys: isLeaf ? nrEntries : 0,
      ...span,
    });
    const missing = children.filter((child) => this.#nodes.get(child) === undefined);
    this.#reader.blockManager.prefetch(missing, NODE_VALIDATOR);
  }

  #enterChild(frame: Frame, index: number): void {
    const { level, depth, above, isLeaf, nrChildren } = frame;
    const node = this.#node;
    try {
      node.base = this.#reader.read(frame.block, NODE_VALIDATOR);
    } catch (error) {
      // It could be read before, so the device is failing: the rest of the node is lost.
      if (!(error instanceof CorruptionError || error instanceof DeviceError)) throw error;
      frame.next = nrChildren;
      this.#reportText({ block: frame.block, level, depth, above, bounds: frame }, 'btree.node', error.message);
      return;
    }
    const beginHigh = node.keyHigh(index);
    const beginLow = node.keyLow(index);
    const block = node.childAt(index);
    if (isLeaf) {
      const key = joinKey(beginHigh, beginLow);
      this.enter({ block, level: level + 1, depth: 0, above: [...above, key], bounds: ALL_KEYS });
      return;
    }
    const isLast = index + 1 === nrChildren;
    const endHigh = isLast ? frame.endHigh : node.keyHigh(index + 1);
    const endLow = isLast ? frame.endLow : node.keyLow(index + 1);
    this.enter({ block, level, depth: depth + 1, above, bounds: { beginHigh, beginLow, endHigh, endLow } });
  }

  /** All below the frame's node is checked. */
  #leave(frame: Frame): void {
    this.#stack.pop();
    const { block, level, height, nrEntries, damaged, nrKeys } = frame;
    const { firstHigh, firstLow, lastHigh, lastLow } = frame;
    const levelsLeft = this.#levels - level;
    const summary: NodeSummary = {
      levelsLeft,
      height,
      damaged,
      nrEntries,
      nrKeys,
      firstHigh,
      firstLow,
      lastHigh,
      lastLow,
    };
    this.#nodes.set(block, summary);
    this.#addToParent(summary);
  }

  #remember(reference: Reference, summary: NodeSummary): void {
    this.#nodes.set(reference.block, summary);
    this.#addToParent(summary);
  }

  /** Adds what is known of a child, or of a sub-tree's root, to the frame above it. */
  #addToParent(child: NodeSummary): void {
    const parent = this.#stack.at(-1);
    this.damaged ||= child.damaged;
    if (parent === undefined) {
      this.nrEntries += child.nrEntries;
      return;
    }
    parent.nrEntries += child.nrEntries;
    parent.damaged ||= child.damaged;
    if (parent.isLeaf) return;
    if (child.height >= 0) parent.height = child.height + 1;
    if (child.nrKeys === 0) return;
    if (parent.nrKeys === 0) {
      parent.firstHigh = child.firstHigh;
      parent.firstLow = child.firstLow;
    }
    parent.nrKeys += child.nrKeys;
    parent.lastHigh = child.lastHigh;
    parent.lastLow = child.lastLow;
  }

  #reportRange(reference: Reference): void {
    this.#report(reference, 'btree.key-range', 'has keys outside the range that its parent gives it');
  }

  #report(reference: Reference, code: string, text: string, severity: Finding['severity'] = 'fatal'): void {
    this.#reportText(reference, code, `btree_node block ${reference.block} ${text}`, severity);
  }

  #reportText(reference: Reference, code: string, message: string, severity: Finding['severity'] = 'fatal'): void {
    const { block, above, bounds } = reference;
    const path = [...(this.#options.path ?? []), ...this.#stack.map((frame) => frame.block)];
    if (path.at(-1) !== block) path.push(block);
    const below = above.length === 0 ? '' : ` (below key ${above.join(', ')})`;
    const keys = severity === 'fatal' ? { keys: keyRange(bounds) } : {};
    this.findings.push({ severity, code, message: `${message}${below}`, block, path, ...keys });
    if (severity !== 'fatal') return;
    this.damaged = true;
    const parent = this.#stack.at(-1);
    if (parent !== undefined) parent.damaged = true;
  }
}

function damagedSummary(levelsLeft: number): NodeSummary {
  return { levelsLeft, height: -1, damaged: true, nrEntries: 0, nrKeys: 0, ...NO_SPAN };
}
