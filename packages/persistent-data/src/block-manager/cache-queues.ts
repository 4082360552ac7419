import { assert } from '../base/index.ts';

const PROBATION = 0;
const MAIN = 1;

/** What the queues have to know of a slot to choose a victim. */
export interface SlotState {
  /** Whether the slot may not be evicted now. */
  isPinned(slot: number): boolean;
}

/**
 * Chooses which slot of the cache to reuse. New blocks go into a small first-in-first-out queue, *probation*; those that were
 * used again by the time they reach its end move to the *main* queue, where a used block gets another round. A scan that touches
 * each block once therefore passes through probation (a tenth of the cache) and leaves the rest alone.
 * A block that is read again soon after it was evicted goes to main at once: the block manager remembers such blocks.
 *
 * Two doubly linked rings over typed arrays; all operations O(1) but `victim`, which is O(1) amortised.
 */
export class CacheQueues {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #queueOf: Uint8Array;
  /** 1 where the block was used since it was queued or passed over. The block manager sets it on each hit. */
  readonly used: Uint8Array;
  readonly #capacity: number;
  readonly #lengths: [number, number] = [0, 0];

  constructor(capacity: number) {
    this.#capacity = capacity;
    // Two more links than slots: the heads of the two rings.
    this.#next = new Int32Array(capacity + 2);
    this.#previous = new Int32Array(capacity + 2);
    this.#queueOf = new Uint8Array(capacity);
    this.used = new Uint8Array(capacity);
    this.clear();
  }

  /** Forgets all slots. */
  clear(): void {
    for (const queue of [PROBATION, MAIN]) {
      const head = this.#capacity + queue;
      this.#next[head] = head;
      this.#previous[head] = head;
      this.#lengths[queue] = 0;
    }
    this.used.fill(0);
  }

  /** Takes in a slot with a new block; `known` says that the block was evicted not long ago. */
  add(slot: number, known: boolean): void {
    this.used[slot] = 0;
    this.#link(slot, known ? MAIN : PROBATION);
  }

  /** Takes a slot out. */
  remove(slot: number): void {
    this.#unlink(slot);
  }

  /** Takes the slot out that is best reused, or answers -1 when all are pinned. */
  victim(state: SlotState): number {
    // Each slot is looked at no more than three times: once in probation, twice in main.
    for (let looks = 3 * (this.#lengths[PROBATION] + this.#lengths[MAIN]); looks > 0; looks--) {
      const fromProbation = this.#lengths[PROBATION] * 10 > this.#capacity || this.#lengths[MAIN] === 0;
      const slot = this.#takeLast(fromProbation ? PROBATION : MAIN);
      if (!state.isPinned(slot) && this.used[slot] === 0) return slot;
      this.used[slot] = 0;
      this.#link(slot, MAIN);
    }
    // All of main is pinned. What is left is a probation that was too short to be looked at.
    for (let looks = this.#lengths[PROBATION]; looks > 0; looks--) {
      const slot = this.#takeLast(PROBATION);
      if (!state.isPinned(slot)) return slot;
      this.#link(slot, PROBATION);
    }
    return -1;
  }

  #takeLast(queue: typeof PROBATION | typeof MAIN): number {
    const slot = this.#previous[this.#capacity + queue]!;
    this.#unlink(slot);
    return slot;
  }

  #link(slot: number, queue: typeof PROBATION | typeof MAIN): void {
    const head = this.#capacity + queue;
    const first = this.#next[head]!;
    this.#next[head] = slot;
    this.#previous[slot] = head;
    this.#next[slot] = first;
    this.#previous[first] = slot;
    this.#queueOf[slot] = queue;
    this.#lengths[queue]++;
  }

  #unlink(slot: number): void {
    assert(slot < this.#capacity, 'a queue is not empty when something is taken from it');
    const next = this.#next[slot]!;
    const previous = this.#previous[slot]!;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    this.#lengths[this.#queueOf[slot] as 0 | 1]--;
  }
}
