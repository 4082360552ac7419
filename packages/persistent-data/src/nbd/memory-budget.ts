import { assert } from '../base/index.ts';

export interface MemoryBudgetOptions {
  /** Bytes that all connections together may hold beyond their floors. */
  readonly limitBytes: number;
  /** Bytes that each connection may hold whatever the others do. */
  readonly floorBytes: number;
}

/**
 * Bounds the memory of requests under way and of replies that wait to be sent, over all connections. A connection can always hold its
 * floor, so that nobody starves; beyond that, half of the limit at most, so that one greedy or slow client leaves room for the rest.
 */
export class MemoryBudget {
  readonly limitBytes: number;
  readonly floorBytes: number;
  #heldBytes = 0;
  /** Those who asked in vain, in order. */
  readonly #waiting = new Set<() => void>();

  constructor({ limitBytes, floorBytes }: MemoryBudgetOptions) {
    this.limitBytes = limitBytes;
    this.floorBytes = floorBytes;
  }

  /** Bytes that all hold together. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  share(): BudgetShare {
    return new BudgetShare(this);
  }

  /** Calls `wake` once, after memory was given back. */
  wait(wake: () => void): void {
    this.#waiting.add(wake);
  }

  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }

  /** For shares: their changes. */
  change(bytes: number): void {
    this.#heldBytes += bytes;
    if (bytes >= 0 || this.#waiting.size === 0) return;
    const woken = [...this.#waiting];
    this.#waiting.clear();
    queueMicrotask(() => {
      for (const wake of woken) wake();
    });
  }
}

/** What one connection holds. */
export class BudgetShare {
  readonly #budget: MemoryBudget;
  #heldBytes = 0;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether `bytes` more may be taken now. A request of up to half of the limit is never refused for ever. */
  admits(bytes: number): boolean {
    const { limitBytes, floorBytes, heldBytes } = this.#budget;
    const held = this.#heldBytes + bytes;
    if (held <= floorBytes) return true;
    return held <= limitBytes / 2 && heldBytes + bytes <= limitBytes;
  }

  /** Counts bytes that are in use from now on. */
  add(bytes: number): void {
    this.#heldBytes += bytes;
    this.#budget.change(bytes);
  }

  /** Counts bytes that are not in use any more. */
  give(bytes: number): void {
    this.#heldBytes -= bytes;
    assert(this.#heldBytes >= 0, 'no more memory is given back than was taken');
    this.#budget.change(-bytes);
  }
}
