/** Ctrl-C: the work ends, and gives back what it holds. */

import { Script } from 'node:vm';
import { FileLock } from 'persistent-data/io';
import { InterruptedError } from './interrupted-error.ts';
import { endProgress } from './report.ts';

const WORK = Symbol.for('pdata.work');
const scope = globalThis as { [WORK]?: (() => unknown) | undefined };

/**
 * Does work that Ctrl-C can cut off anywhere. Work that is one long call never comes to the point where Node would tell of a signal; but Node can be asked
 * to end a *script* at a signal, without even its `finally`. So the work is done as one, and the locks of files that were being written are given back
 * here. What was being written is as after a crash at that moment, which is what the order of all writes is made for.
 *
 * @returns What the work answers. A promise is not waited for: beyond its first `await`, {@link Interruption} is there.
 * @throws {InterruptedError} when it was cut off.
 */
export function interruptible<T>(work: () => T): T {
  scope[WORK] = work;
  try {
    return new Script(`globalThis[Symbol.for('${WORK.description}')]()`).runInThisContext({ breakOnSigint: true }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw error;
    endProgress();
    FileLock.releaseAll();
    throw new InterruptedError('interrupted', { cause: error });
  } finally {
    scope[WORK] = undefined;
    renewHandlers();
  }
}

/** Where Node ends a script at a signal, it takes the signal away from the handlers that the script made. They get it back. */
function renewHandlers(): void {
  const handlers = process.rawListeners('SIGINT') as NodeJS.SignalsListener[];
  process.removeAllListeners('SIGINT');
  for (const handler of handlers) process.on('SIGINT', handler);
}

/** Watches for SIGINT and SIGTERM, which then no longer end the program by themselves. Work that waits now and then calls {@link check}. */
export class Interruption {
  #wanted = false;
  readonly #note = (): void => {
    this.#wanted = true;
  };

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, this.#note);
  }

  /** @throws {InterruptedError} when the program is to end. */
  check(): void {
    if (this.#wanted) throw new InterruptedError('interrupted');
  }

  /** Lets the signals end the program again. */
  end(): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, this.#note);
  }
}
