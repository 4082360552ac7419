/** Ctrl-C: the work ends, and gives back what it holds. */

import { Script } from 'node:vm';
import { assert, monotonicMs } from 'persistent-data/base';
import { FileLock } from 'persistent-data/io';
import { InterruptedError } from './interrupted-error.ts';
import { endProgress } from './report.ts';

/** Time between two moments at which work that never waits hears of signals. */
const LISTEN_MS = 20;

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
  }
}

/**
 * Waits until the script of {@link interruptible} is behind the work. A handler of a signal that is made within the script is of no use: while the script
 * runs it would keep the signal from ending it, and what came in that time would be lost when the script is over.
 */
export async function outsideScript(): Promise<void> {
  await undefined;
  assert(scope[WORK] === undefined, 'work that waits has left its script');
}

/** Watches for SIGINT and SIGTERM, which then no longer end the program by themselves. Work that waits now and then calls {@link check}. */
export class Interruption {
  #wanted = false;
  readonly #waiting = new Set<(error: InterruptedError) => void>();
  readonly #note = (): void => {
    this.#wanted = true;
    for (const fail of this.#waiting) fail(new InterruptedError('interrupted'));
  };

  private constructor() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, this.#note);
  }

  /** Begins to watch. To be called before anything is held that a sudden end would leave behind, such as the lock of a file. */
  static async watch(): Promise<Interruption> {
    await outsideScript();
    return new Interruption();
  }

  /** @throws {InterruptedError} when the program is to end. */
  check(): void {
    if (this.#wanted) throw new InterruptedError('interrupted');
  }

  /** Waits for something that may never come. @throws {InterruptedError} when the program is to end first; the promise is left alone then. */
  async race<T>(promise: Promise<T>): Promise<T> {
    this.check();
    let fail!: (error: InterruptedError) => void;
    const wanted = new Promise<never>((_, reject) => {
      fail = reject;
    });
    this.#waiting.add(fail);
    try {
      return await Promise.race([promise, wanted]);
    } catch (error) {
      if (error instanceof InterruptedError) promise.catch(() => undefined);
      throw error;
    } finally {
      this.#waiting.delete(fail);
    }
  }

  /**
   * A stream that ends at Ctrl-C, between two pieces.
   * @param options.mayStick - Perhaps nothing comes from it any more: then what it does to end is not waited for.
   */
  async *watched<T>(
    stream: AsyncIterable<T>,
    { mayStick }: { readonly mayStick: boolean },
  ): AsyncGenerator<T, void, undefined> {
    const iterator = stream[Symbol.asyncIterator]();
    let isStuck = false;
    let heardMs = monotonicMs();
    try {
      for (;;) {
        // Where nothing waits for anything, no signal would be told of.
        if (monotonicMs() - heardMs > LISTEN_MS) {
          await new Promise(setImmediate);
          heardMs = monotonicMs();
        }
        this.check();
        isStuck = mayStick;
        const next = await (mayStick ? this.race(iterator.next()) : iterator.next());
        isStuck = false;
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      const ended = iterator.return?.();
      if (isStuck) ended?.catch(() => undefined);
      else await ended;
    }
  }

  /** Lets the signals end the program again. */
  end(): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, this.#note);
  }
}
