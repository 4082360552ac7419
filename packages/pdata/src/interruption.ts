/** Ctrl-C while something is being written: the work ends at the next good moment, and gives back what it holds. */

/** The user wants the program to end. Nothing is to be said, and the exit code is 130. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
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
