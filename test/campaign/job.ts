/** A process that does runs of one campaign and reports to its parent: see `main.ts`. */

import { openSync, writeSync } from 'node:fs';
import { Random } from 'persistent-data/testing';
import { type Amount, type Campaign, Failure, type Run, textOf } from './campaign.ts';
import { campaignNamed } from './table.ts';

/** What a worker is told at its start. */
export interface Orders {
  readonly campaign: string;
  readonly seed: number;
  /** Its first run, and the distance to its next. */
  readonly from: number;
  readonly stride: number;
  readonly amount: Amount;
  /** The index of the run under way is kept here, so that the parent sees a run that hangs. */
  readonly progressFile: string;
}

export interface FoundFailure {
  readonly index: number;
  readonly message: string;
  readonly script: string;
  readonly stack: string;
}

/** What it says now and then. The counts are those since the report before. */
export interface Report {
  readonly runs: number;
  readonly states: number;
  readonly notes: Record<string, number>;
  readonly failures: readonly FoundFailure[];
  readonly isLast: boolean;
}

const REPORT_EVERY_MS = 200;
/** After so many failures there is no point in going on. */
const MAX_FAILURES = 5;

/** Mixes the seed of a campaign with the index of a run. */
export function seedOf(seed: number, index: number): number {
  return (Math.imul(seed, 0x9e37_79b1) + Math.imul(index + 1, 0x85eb_ca6b)) | 0;
}

class Worker {
  readonly #campaign: Campaign;
  readonly #orders: Orders;
  readonly #progress: number;
  readonly #index = new Float64Array(1);
  #runs = 0;
  #states = 0;
  #notes: Record<string, number> = {};
  #failures: FoundFailure[] = [];
  #nrFailures = 0;
  #totalRuns = 0;
  #totalStates = 0;

  constructor(orders: Orders) {
    this.#orders = orders;
    this.#campaign = campaignNamed(orders.campaign);
    this.#progress = openSync(orders.progressFile, 'r+');
  }

  async work(): Promise<void> {
    const { amount, from, stride } = this.#orders;
    const end = amount.minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + amount.minutes * 60_000;
    let reportAt = Date.now() + REPORT_EVERY_MS;
    for (let index = from; ; index += stride) {
      const now = Date.now();
      if (now >= reportAt) {
        this.#report(false);
        reportAt = now + REPORT_EVERY_MS;
        // Messages go out, and an interrupt comes in.
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (now >= end || this.#totalRuns >= (amount.runs ?? Number.POSITIVE_INFINITY)) break;
      if (this.#totalStates >= (amount.states ?? Number.POSITIVE_INFINITY) || this.#nrFailures >= MAX_FAILURES) break;
      await this.#runOne(index);
    }
    this.#index[0] = -1;
    writeSync(this.#progress, new Uint8Array(this.#index.buffer), 0, 8, 0);
    this.#report(true);
  }

  async #runOne(index: number): Promise<void> {
    this.#index[0] = index;
    writeSync(this.#progress, new Uint8Array(this.#index.buffer), 0, 8, 0);
    const run: Run = {
      index,
      random: new Random(seedOf(this.#orders.seed, index)),
      count: (states) => {
        this.#states += states;
        this.#totalStates += states;
      },
      note: (name, amount = 1) => {
        this.#notes[name] = (this.#notes[name] ?? 0) + amount;
      },
    };
    try {
      await this.#campaign.run(run);
    } catch (error) {
      const script = error instanceof Failure ? error.script : '';
      const stack = error instanceof Error ? (error.stack ?? '') : '';
      this.#failures.push({ index, message: textOf(error), script, stack });
      this.#nrFailures += 1;
    }
    this.#runs += 1;
    this.#totalRuns += 1;
  }

  #report(isLast: boolean): void {
    const report: Report = {
      runs: this.#runs,
      states: this.#states,
      notes: this.#notes,
      failures: this.#failures,
      isLast,
    };
    process.send?.(report);
    this.#runs = 0;
    this.#states = 0;
    this.#notes = {};
    this.#failures = [];
  }
}

// An interrupt is the parent's to handle: it prints what there is.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(1));
process.once('message', (orders) => {
  new Worker(orders as Orders)
    .work()
    .then(() => process.disconnect())
    .catch((error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(2);
    });
});
