import type { ThinMetadata } from '../thin/index.ts';
import type { DataDevice } from './data-device.ts';

/** What a commit has to know of its pool. */
export interface CommitOwner {
  readonly metadata: ThinMetadata;
  readonly data: DataDevice;
  /** Called before each commit of the metadata. */
  beforeCommit(): void;
  /** Called when it is durable. */
  afterCommit(): void;
  /** A flush or a commit failed: nothing more is written. Answers the error to tell those who wait. */
  failed(error: unknown): unknown;
  /** @throws when nothing that was written can become durable any more. */
  refuseFlush(): void;
}

interface Waiter {
  /** Whether this one needs the metadata to be committed, and not only the data to be flushed. Asked when the flight begins. */
  readonly needsCommit: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Turns of the microtask queue that woken callers need to come with their next request. */
const TURNS = 4;

/**
 * Flushes and commits of a pool: all who wait at one moment share one flight, which is a flush of the data, and a commit where one of them needs
 * it. The next flight gathers while one is on its way; volumes are written meanwhile.
 */
export class CommitGroup {
  readonly #owner: CommitOwner;
  #waiters: Waiter[] = [];
  #flight: Promise<void> | undefined;
  /** Work that wants no flight beside it; done between two. */
  #alone: (() => void)[] = [];
  /** Whether the metadata is being committed by the flight. */
  #isCommitting = false;

  constructor(owner: CommitOwner) {
    this.#owner = owner;
  }

  /** Whether a commit of the metadata is on its way: until it has ended none can be done at once. */
  get isCommitting(): boolean {
    return this.#isCommitting;
  }

  /** Makes durable what was written until now; the metadata where `needsCommit` says so, which is asked when the flight begins. */
  join(needsCommit: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ needsCommit, resolve, reject });
      this.#start();
    });
  }

  /** Commits the metadata at once, if no commit is on its way. Answers whether it did. */
  now(): boolean {
    if (this.#isCommitting) return false;
    const owner = this.#owner;
    if (!owner.metadata.changedThisTransaction) return true;
    try {
      owner.beforeCommit();
      owner.metadata.commit();
    } catch (error) {
      throw owner.failed(error);
    }
    owner.afterCommit();
    return true;
  }

  /** Does a piece of work at a moment when nothing is on its way: now, or after this flight, however many wait for the next one. */
  whenIdle<R>(work: () => R): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#alone.push(() => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
      this.#start();
    });
  }

  /** Waits until nothing is on its way and nobody waits. */
  async settled(): Promise<void> {
    while (this.#flight !== undefined) await this.#flight;
  }

  #start(): void {
    this.#flight ??= this.#fly().finally(() => {
      this.#flight = undefined;
      if (this.#isWanted) this.#start();
    });
  }

  get #isWanted(): boolean {
    return this.#waiters.length > 0 || this.#alone.length > 0;
  }

  async #fly(): Promise<void> {
    while (this.#isWanted) {
      for (let work = this.#alone.shift(); work !== undefined; work = this.#alone.shift()) work();
      if (this.#waiters.length === 0) continue;
      // Callers that were woken by the last flight, and all that are ready in this turn, join this one.
      for (let turn = 0; turn < TURNS; turn++) await undefined;
      const waiters = this.#waiters;
      this.#waiters = [];
      try {
        this.#owner.refuseFlush();
        if (waiters.some((waiter) => waiter.needsCommit())) await this.#commit();
        else await this.#flushData();
        for (const waiter of waiters) waiter.resolve();
      } catch (error) {
        for (const waiter of waiters) waiter.reject(error);
      }
    }
  }

  async #commit(): Promise<void> {
    const owner = this.#owner;
    if (!owner.metadata.changedThisTransaction) return this.#flushData();
    this.#isCommitting = true;
    try {
      owner.beforeCommit();
      await owner.metadata.commitAsync();
    } catch (error) {
      throw owner.failed(error);
    } finally {
      this.#isCommitting = false;
    }
    owner.afterCommit();
  }

  async #flushData(): Promise<void> {
    const { data } = this.#owner;
    try {
      if (data.flushAsync) await data.flushAsync();
      else data.flush();
    } catch (error) {
      throw this.#owner.failed(error);
    }
  }
}
