import { assert } from '../base/index.ts';

/** A change of counts that waits: +1 or -1 for each block of a half-open range. */
export interface PendingOperation {
  readonly delta: 1 | -1;
  readonly begin: number;
  readonly end: number;
}

/**
 * Changes of counts that came up while another change was under way, first in, first out: a block may have an increment and a decrement
 * pending, and in the wrong order the count would fall below zero.
 */
export class PendingOperations {
  #queue: PendingOperation[] = [];
  #head = 0;

  get isEmpty(): boolean {
    return this.#head === this.#queue.length;
  }

  push(delta: 1 | -1, begin: number, end: number): void {
    this.#queue.push({ delta, begin, end });
  }

  /** The oldest operation, which stays in the queue: until it is {@link pop}ped it counts as pending. */
  peek(): PendingOperation {
    const operation = this.#queue[this.#head];
    assert(operation !== undefined, 'something is pending');
    return operation;
  }

  pop(): void {
    this.#head++;
    if (this.#head < this.#queue.length) return;
    this.#queue.length = 0;
    this.#head = 0;
  }

  /** Whether an increment of block `b` is pending. */
  increments(b: number): boolean {
    for (let i = this.#head; i < this.#queue.length; i++) {
      const { delta, begin, end } = this.#queue[i]!;
      if (delta === 1 && b >= begin && b < end) return true;
    }
    return false;
  }

  /** What all pending operations together add to the count of block `b`. */
  adjustment(b: number): number {
    let sum = 0;
    for (let i = this.#head; i < this.#queue.length; i++) {
      const { delta, begin, end } = this.#queue[i]!;
      if (b >= begin && b < end) sum += delta;
    }
    return sum;
  }
}
