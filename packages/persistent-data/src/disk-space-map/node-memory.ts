import { assert } from '../base/index.ts';

/** What is known of a block as a node of a tree. */
export type NodeState = (typeof NODE_STATE)[keyof typeof NODE_STATE];

export const NODE_STATE = {
  unknown: 0,
  leaf: 1,
  internal: 2,
  /** Its content cannot be believed. */
  broken: 3,
  /** Internal, and what is below it is being looked at or waits for that. */
  open: 4,
} as const;

const STATE_MASK = 7;
const UNDERFULL = 8;
const DAMAGED = 16;
const KIND_SHIFT = 5;

/** The most kinds of trees that one memory tells apart: 0 to 7. */
const MAX_KINDS = 8;

/** What was found at and below a node. */
export interface NodeSummary {
  /** Entries of leaves. */
  readonly nrEntries: number;
  /** The smallest and the largest key; meaningless without entries. Rounded beyond 2^53. */
  readonly first: number;
  readonly last: number;
  /** Internal nodes from this one down to its leaves: 0 for a leaf, -1 where nothing below it can be believed. */
  readonly height: number;
  /** Whether something is wrong below it. */
  readonly damaged: boolean;
}

/**
 * Remembers the nodes of a device that a check has met, so that each is read once however many trees share it. 26 bytes for each block of the
 * device, in arrays of whose pages the system hands out only those with nodes in them.
 */
export class NodeMemory {
  readonly #states: Uint8Array;
  readonly #heights: Int8Array;
  readonly #nrEntries: Float64Array;
  readonly #first: Float64Array;
  readonly #last: Float64Array;

  constructor(nrBlocks: number) {
    this.#states = new Uint8Array(nrBlocks);
    this.#heights = new Int8Array(nrBlocks);
    this.#nrEntries = new Float64Array(nrBlocks);
    this.#first = new Float64Array(nrBlocks);
    this.#last = new Float64Array(nrBlocks);
  }

  state(block: number): NodeState {
    return (this.#states[block]! & STATE_MASK) as NodeState;
  }

  /** Which kind of tree the node was met in. */
  kind(block: number): number {
    return this.#states[block]! >>> KIND_SHIFT;
  }

  /** Whether it has fewer entries than a node other than a root should have. */
  isUnderfull(block: number): boolean {
    return (this.#states[block]! & UNDERFULL) !== 0;
  }

  /** Whether something is wrong below it. */
  isDamaged(block: number): boolean {
    return (this.#states[block]! & DAMAGED) !== 0;
  }

  nrEntries(block: number): number {
    return this.#nrEntries[block]!;
  }

  height(block: number): number {
    return this.#heights[block]!;
  }

  first(block: number): number {
    return this.#first[block]!;
  }

  last(block: number): number {
    return this.#last[block]!;
  }

  set(block: number, kind: number, state: NodeState, isUnderfull = false): void {
    assert(kind < MAX_KINDS, 'a kind of tree is a small number');
    this.#states[block] = (kind << KIND_SHIFT) | state | (isUnderfull ? UNDERFULL : 0);
  }

  /** Ends a node that was {@link NODE_STATE.open}, or tells a leaf's content. */
  summarise(block: number, { nrEntries, first, last, height, damaged }: NodeSummary): void {
    const byte = this.#states[block]! | (damaged ? DAMAGED : 0);
    const isOpen = (byte & STATE_MASK) === NODE_STATE.open;
    this.#states[block] = isOpen ? (byte & ~STATE_MASK) | NODE_STATE.internal : byte;
    this.#heights[block] = height;
    this.#nrEntries[block] = nrEntries;
    this.#first[block] = first;
    this.#last[block] = last;
  }
}
