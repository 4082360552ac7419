/** What a campaign is: a test that has no end, made of runs that depend on a seed and their index only. */

import type { Random } from 'persistent-data/testing';

/** One run, as the worker hands it out. */
export interface Run {
  /** 0-based. The same seed and index give the same run. */
  readonly index: number;
  readonly random: Random;
  /** Counts states (crash states, images, calls that failed, …: what the campaign's figure is about). */
  count(states: number): void;
  /** Counts something else, for the line at the end. */
  note(name: string, amount?: number): void;
}

/** How much of a campaign: it ends when any of them is reached. */
export interface Amount {
  readonly runs?: number;
  readonly states?: number;
  readonly minutes?: number;
}

export interface Campaign {
  readonly name: string;
  /** What a state is, in the plural. */
  readonly states: string;
  /** The longest that a run may take, in seconds; then it counts as hanging and is killed. */
  readonly hangSeconds: number;
  /** What is done in CI. */
  readonly ci: Amount;
  /** Bound of the heap of a worker, in MiB. */
  readonly heapMb?: number;
  /** Why it cannot run here; `undefined` when it can. */
  missing?(): string | undefined;
  /** @throws {Failure} when a promise is broken. Anything else that it throws is a failure too. */
  run(run: Run): void | Promise<void>;
}

/** A promise that was broken, with what is needed to see it again. */
export class Failure extends Error {
  override readonly name = 'Failure';
  /** The script, shrunk, or another description of the input. */
  readonly script: string;

  constructor(message: string, script: unknown, options?: ErrorOptions) {
    super(message, options);
    this.script = typeof script === 'string' ? script : JSON.stringify(script);
  }
}

/** The text of anything that was thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Does work in which errors are the rule; their stacks, which nobody reads, would take a tenth of its time. */
export function withoutStacks<T>(work: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
