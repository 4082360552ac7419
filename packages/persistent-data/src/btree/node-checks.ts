import { compareHalves } from '../base/index.ts';
import { maxEntriesFor, NODE_HEADER, type NodeView } from '../format/index.ts';

const KEYS = NODE_HEADER.size / 4;

/** Something wrong inside one node: see docs/format.md, "B-tree node". */
export interface NodeProblem {
  readonly severity: 'fatal' | 'warning';
  readonly code: string;
  /** Continues "btree_node block N ". */
  readonly text: string;
  /** Whether the node's entries can't be used because of it. */
  readonly unusable: boolean;
}

/**
 * What is wrong with a node that its validator has let pass: the geometry of its tree, the order and number of its entries. Looks at each key
 * once and allocates nothing where all is well.
 *
 * @param valueSize - What the tree's leaves hold, in bytes.
 */
export function nodeProblems(node: NodeView, { valueSize, isRoot }: NodeExpectation): readonly NodeProblem[] {
  const { nrEntries, maxEntries } = node;
  const wanted = node.isLeaf ? valueSize : 8;
  if (node.valueSize !== wanted) {
    return [fatal('btree.value-size', `has values of ${node.valueSize} bytes, ${wanted} are wanted`, true)];
  }
  let problems: NodeProblem[] = NONE;
  if (maxEntries % 3 !== 0) {
    problems = [fatal('btree.max-entries', `has maxEntries ${maxEntries}, a multiple of 3 is wanted`, false)];
  } else if (maxEntries !== maxEntriesFor(wanted)) {
    const text = `has maxEntries ${maxEntries}, ${maxEntriesFor(wanted)} is usual for values of ${wanted} bytes`;
    problems = [{ severity: 'warning', code: 'btree.max-entries', text, unusable: false }];
  }
  if (nrEntries === 0) {
    return isRoot ? problems : [...problems, fatal('btree.empty', 'has no entries and is not the root', true)];
  }
  const index = firstDisorder(node);
  if (index > 0) {
    const text = `has key ${hex(node, index)} at index ${index} after ${hex(node, index - 1)}, rising keys are wanted`;
    return [...problems, fatal('btree.keys', text, true)];
  }
  const least = Math.floor(maxEntries / 3);
  if (!isRoot && nrEntries < least) {
    const text = `has ${nrEntries} entries, at least ${least} are wanted`;
    problems = [...problems, { severity: 'warning', code: 'btree.underfull', text, unusable: false }];
  }
  return problems;
}

/** What a node's place in the tree says of it. */
export interface NodeExpectation {
  readonly valueSize: number;
  readonly isRoot: boolean;
}

const NONE: NodeProblem[] = [];

function fatal(code: string, text: string, unusable: boolean): NodeProblem {
  return { severity: 'fatal', code, text, unusable };
}

/** The first index whose key is not above the one before, or 0. Compares lower halves alone where the upper ones agree. */
function firstDisorder(node: NodeView): number {
  const { words, nrEntries } = node;
  const keys = node.base + KEYS;
  let high = words[keys + 1]!;
  let low = words[keys]!;
  for (let i = 1; i < nrEntries; i++) {
    const nextHigh = words[keys + 2 * i + 1]!;
    const nextLow = words[keys + 2 * i]!;
    if (nextHigh === high ? nextLow <= low : nextHigh < high) return i;
    high = nextHigh;
    low = nextLow;
  }
  return 0;
}

function hex(node: NodeView, index: number): string {
  return `0x${((BigInt(node.keyHigh(index)) << 32n) | BigInt(node.keyLow(index))).toString(16)}`;
}

/** Half-open bounds of the keys below a node, in halves. An end beyond every key has `endHigh` Infinity. */
export interface KeyBounds {
  readonly beginHigh: number;
  readonly beginLow: number;
  readonly endHigh: number;
  readonly endLow: number;
}

export const ALL_KEYS: KeyBounds = { beginHigh: 0, beginLow: 0, endHigh: Number.POSITIVE_INFINITY, endLow: 0 };

/** Whether the keys from `first` to `last` lie within the bounds. */
export function isWithin(
  { beginHigh, beginLow, endHigh, endLow }: KeyBounds,
  { firstHigh, firstLow, lastHigh, lastLow }: KeySpan,
): boolean {
  return (
    compareHalves(firstHigh, firstLow, beginHigh, beginLow) >= 0 &&
    compareHalves(lastHigh, lastLow, endHigh, endLow) < 0
  );
}

/** A first and a last key, in halves. */
export interface KeySpan {
  readonly firstHigh: number;
  readonly firstLow: number;
  readonly lastHigh: number;
  readonly lastLow: number;
}

/** The span of a node without entries. */
export const NO_SPAN: KeySpan = { firstHigh: 0, firstLow: 0, lastHigh: 0, lastLow: 0 };

/** The keys of a node whose keys rise. */
export function spanOf(node: NodeView): KeySpan {
  const last = node.nrEntries - 1;
  if (last < 0) return NO_SPAN;
  return {
    firstHigh: node.keyHigh(0),
    firstLow: node.keyLow(0),
    lastHigh: node.keyHigh(last),
    lastLow: node.keyLow(last),
  };
}

/** Bounds as findings show them. */
export function keyRange({ beginHigh, beginLow, endHigh, endLow }: KeyBounds): { begin: bigint; end: bigint } {
  return {
    begin: (BigInt(beginHigh) << 32n) | BigInt(beginLow),
    end: endHigh === Number.POSITIVE_INFINITY ? 1n << 64n : (BigInt(endHigh) << 32n) | BigInt(endLow),
  };
}
