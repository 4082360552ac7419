/** What commands say besides their results: titles and warnings on standard error, unless they were asked to be quiet. */

import { createRequire } from 'node:module';
import type { SingleBar } from 'cli-progress';
import { monotonicMs } from 'persistent-data/base';
import { timeLeft } from './time-left.ts';

/** How far long work has come. */
export interface Progress {
  /** `done` of `total` units. */
  update(done: number, total: number): void;
  end(): void;
}

const NO_PROGRESS: Progress = { update: () => undefined, end: () => undefined };
/** Work that is done sooner shows no bar. */
const QUIET_MS = 400;
const REDRAW_MS = 200;

/** Speaks to people, on standard error. */
export class Report {
  readonly #quiet: boolean;

  constructor(options: { readonly quiet: boolean }) {
    this.#quiet = options.quiet;
  }

  /** What the program does now. On a terminal the progress bar says it. */
  title(text: string): void {
    if (!this.#quiet) process.stderr.write(`${text}\n`);
  }

  warn(text: string): void {
    if (!this.#quiet) process.stderr.write(`${text}\n`);
  }

  /** A bar with rate and remaining time; on a terminal only. `unit` is what is counted: `blocks`, `MiB`. */
  progress(unit: string): Progress {
    if (this.#quiet || !process.stderr.isTTY) return NO_PROGRESS;
    return new Bar(unit);
  }
}

/** The bar that is on the terminal. */
let shown: Bar | undefined;

/** Takes the bar away, if one is shown, after work that could not do it. */
export function endProgress(): void {
  shown?.end();
}

class Bar implements Progress {
  readonly #bar: SingleBar;
  readonly #begin = monotonicMs();
  #last = 0;

  constructor(unit: string) {
    const format = `{bar} {percentage}%  {value}/{total} ${unit}  {rate} ${unit}/s  {left} left`;
    // Loaded where a bar can be shown: it takes some milliseconds, which every start would.
    const { SingleBar: Shown } = createRequire(import.meta.url)('cli-progress') as typeof import('cli-progress');
    this.#bar = new Shown({ format, stream: process.stderr, clearOnComplete: true, hideCursor: true });
  }

  update(done: number, total: number): void {
    const now = monotonicMs();
    if (now - this.#begin < QUIET_MS || now - this.#last < REDRAW_MS) return;
    this.#last = now;
    const rate = Math.round((done * 1000) / (now - this.#begin));
    if (shown !== this) {
      shown = this;
      this.#bar.start(total, done, { rate, left: timeLeft(now - this.#begin, done, total) });
    }
    this.#bar.setTotal(total);
    this.#bar.update(done, { rate, left: timeLeft(now - this.#begin, done, total) });
  }

  end(): void {
    if (shown !== this) return;
    shown = undefined;
    this.#bar.stop();
  }
}
