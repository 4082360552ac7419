/** How a group is brought to the disk. */
export interface GroupWriter {
  /** Whether nothing can be written any more. */
  readonly isLatched: boolean;
  /** Brings all operations that are there to the disk. */
  writeGroup(): Promise<void>;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Turns of the microtask queue that a woken caller needs to come with its next transaction. */
const TURNS = 4;

/**
 * Callers who wait for durability. All who wait at the same moment share one write and one flush; the next group gathers while that is on its way.
 */
export class GroupCommit {
  readonly #writer: GroupWriter;
  /** Callers whose operations no write has begun for. */
  #waiters: Waiter[] = [];
  #flight: Promise<void> | undefined;

  constructor(writer: GroupWriter) {
    this.#writer = writer;
  }

  get hasWaiters(): boolean {
    return this.#waiters.length > 0;
  }

  /** Waits for the durability of what was done until now. */
  join(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#start();
    });
  }

  /** Waits until nothing is on its way. */
  async settled(): Promise<void> {
    while (this.#flight !== undefined) await this.#flight;
  }

  /** Does a synchronous write that covers all who wait: they are answered with it. */
  cover<R>(write: () => R): R {
    const waiters = this.#take();
    try {
      const result = write();
      for (const waiter of waiters) waiter.resolve();
      return result;
    } catch (error) {
      for (const waiter of waiters) waiter.reject(error);
      throw error;
    }
  }

  /** Nothing that waits will ever be durable. */
  rejectAll(error: unknown): void {
    for (const waiter of this.#take()) waiter.reject(error);
  }

  #take(): Waiter[] {
    const waiters = this.#waiters;
    this.#waiters = [];
    return waiters;
  }

  #start(): void {
    this.#flight ??= this.#fly().finally(() => {
      this.#flight = undefined;
      if (this.#waiters.length > 0 && !this.#writer.isLatched) this.#start();
    });
  }

  /** One group after the other. */
  async #fly(): Promise<void> {
    do {
      // Callers that were woken by the last group, and all that are ready in this turn, join this one.
      for (let turn = 0; turn < TURNS; turn++) await undefined;
      const waiters = this.#take();
      if (waiters.length === 0) return;
      try {
        await this.#writer.writeGroup();
        for (const waiter of waiters) waiter.resolve();
      } catch (error) {
        for (const waiter of waiters) waiter.reject(error);
      }
    } while (this.#waiters.length > 0 || !this.#writer.isLatched);
  }
}
