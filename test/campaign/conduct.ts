/** Runs one campaign in worker processes, watches for runs that hang, and sums up. */

import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Amount, Campaign } from './campaign.ts';
import type { FoundFailure, Orders, Report } from './job.ts';

export interface Conduct {
  readonly seed: number;
  readonly from: number;
  readonly jobs: number;
  readonly amount: Amount;
  /** Called about once a second. */
  readonly onProgress?: (summary: Summary) => void;
  /** Ends the campaign early; the summary is of what was done. */
  readonly interrupted?: AbortSignal;
}

/** The line at the end. */
export interface Summary {
  readonly campaign: string;
  readonly seed: number;
  minutes: number;
  /** Processor time of all workers and what they started, where the system tells. */
  cpuSeconds: number | undefined;
  runs: number;
  states: number;
  /** What a state is. */
  readonly unit: string;
  perSecond: number;
  failures: FoundFailure[];
  notes: Record<string, number>;
}

const HEAP_MB = 512;

/** There is a worker for each core: threads of its garbage collector would only take another worker's. Most of what a run makes dies young. */
const COLLECTOR = ['--single-threaded-gc', '--max-semi-space-size=64'];

class Conductor {
  readonly #campaign: Campaign;
  readonly #conduct: Conduct;
  readonly #folder = mkdtempSync(join(tmpdir(), 'pdata-campaign-'));
  readonly #begin = Date.now();
  readonly summary: Summary;

  constructor(campaign: Campaign, conduct: Conduct) {
    this.#campaign = campaign;
    this.#conduct = conduct;
    const { name, states } = campaign;
    const counts = { minutes: 0, cpuSeconds: undefined, runs: 0, states: 0, perSecond: 0 };
    this.summary = { campaign: name, seed: conduct.seed, unit: states, ...counts, failures: [], notes: {} };
  }

  async conduct(): Promise<Summary> {
    const before = childrenSeconds();
    const ticker = setInterval(() => {
      this.#time();
      this.#conduct.onProgress?.(this.summary);
    }, 1000);
    try {
      await Promise.all(Array.from({ length: this.#conduct.jobs }, (_, job) => this.#job(job)));
    } finally {
      clearInterval(ticker);
      rmSync(this.#folder, { recursive: true, force: true });
    }
    this.#time();
    const after = childrenSeconds();
    if (before !== undefined && after !== undefined) this.summary.cpuSeconds = Math.round(10 * (after - before)) / 10;
    return this.summary;
  }

  #time(): void {
    const seconds = (Date.now() - this.#begin) / 1000;
    this.summary.minutes = Math.round(seconds / 0.6) / 100;
    this.summary.perSecond = Math.round(this.summary.states / Math.max(seconds, 0.001));
  }

  #job(job: number): Promise<void> {
    const { seed, from, jobs, amount, interrupted } = this.#conduct;
    const progressFile = join(this.#folder, `${job}`);
    writeFileSync(progressFile, new Uint8Array(8));
    const share = (total: number | undefined) => (total === undefined ? {} : Math.ceil((total - job) / jobs));
    const orders: Orders = {
      ...{ campaign: this.#campaign.name, seed, from: from + job, stride: jobs, progressFile },
      amount: {
        ...(amount.minutes === undefined ? {} : { minutes: amount.minutes }),
        ...(amount.runs === undefined ? {} : { runs: share(amount.runs) as number }),
        ...(amount.states === undefined ? {} : { states: share(amount.states) as number }),
      },
    };
    const heap = `--max-old-space-size=${this.#campaign.heapMb ?? HEAP_MB}`;
    const execArgv = [...process.execArgv, heap, ...COLLECTOR];
    const child = fork(join(import.meta.dirname, 'job.ts'), [], { execArgv });
    child.send(orders);
    return this.#attend(child, progressFile, interrupted);
  }

  #attend(child: ChildProcess, progressFile: string, interrupted: AbortSignal | undefined): Promise<void> {
    let isDone = false;
    let isKilled = false;
    const kill = (): void => {
      isKilled = true;
      child.kill('SIGKILL');
    };
    interrupted?.addEventListener('abort', kill, { once: true });
    const stopWatching = this.#watch(progressFile, (index) => {
      const text = `run ${index} hangs: it takes longer than ${this.#campaign.hangSeconds} s`;
      this.summary.failures.push({ index, message: text, script: '', stack: '' });
      kill();
    });
    child.on('message', (message) => {
      const report = message as Report;
      this.summary.runs += report.runs;
      this.summary.states += report.states;
      this.summary.failures.push(...report.failures);
      for (const [name, amount] of Object.entries(report.notes)) {
        this.summary.notes[name] = (this.summary.notes[name] ?? 0) + amount;
      }
      isDone ||= report.isLast;
    });
    return new Promise((resolve) => {
      child.on('exit', (code, signal) => {
        stopWatching();
        interrupted?.removeEventListener('abort', kill);
        if (!isDone && !isKilled) {
          const index = new Float64Array(new Uint8Array(readFileSync(progressFile)).buffer)[0] ?? -1;
          const message = `the worker died in run ${index}: ${signal ?? `exit code ${code}`}`;
          this.summary.failures.push({ index, message, script: '', stack: '' });
        }
        resolve();
      });
    });
  }

  /** Calls back once when the run under way stays the same for too long. */
  #watch(progressFile: string, onHang: (index: number) => void): () => void {
    let seen = Number.NaN;
    let since = Date.now();
    const ticker = setInterval(() => {
      const index = new Float64Array(new Uint8Array(readFileSync(progressFile)).buffer)[0] ?? -1;
      if (index !== seen) {
        seen = index;
        since = Date.now();
      } else if (index >= 0 && Date.now() - since > this.#campaign.hangSeconds * 1000) {
        clearInterval(ticker);
        onHang(index);
      }
    }, 500);
    return () => clearInterval(ticker);
  }
}

/** Processor time of all processes that this one started and that have ended, and of theirs: in Linux only. */
function childrenSeconds(): number | undefined {
  try {
    // After the name, which is in brackets and may hold anything, come the fields from the third on; times are in hundredths.
    const fields = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1)?.split(' ') ?? [];
    return (Number(fields[13]) + Number(fields[14])) / 100;
  } catch {
    return undefined;
  }
}

/** See the top of this file. */
export async function conduct(campaign: Campaign, how: Conduct): Promise<Summary> {
  return await new Conductor(campaign, how).conduct();
}
