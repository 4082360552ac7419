import { ReadOnlyError, StateError } from '../base/index.ts';

/** Whether a store can be used, and if not, why. */
export class Usability {
  isClosed = false;
  /** Why the running transaction can't go on, if it can't. */
  broken: unknown;
  /** Callers' functions that run while a leaf is locked under them: nothing may be changed meanwhile. */
  nrScans = 0;
  /** Why nothing may be changed, if so. */
  readonly readOnlyReason: string | undefined;
  readonly #failureOf: () => unknown;

  /** @param failureOf - Answers the failure that has latched the store, if one has. */
  constructor(readOnlyReason: string | undefined, failureOf: () => unknown) {
    this.readOnlyReason = readOnlyReason;
    this.#failureOf = failureOf;
  }

  /** @throws {StateError | ReadOnlyError} when the store can't be used: closed, latched, or its transaction is broken. */
  refuseUnusable(action: string): void {
    if (this.isClosed) throw new StateError(`Cannot ${action}: the store is closed`);
    const failure = this.#failureOf();
    if (failure !== undefined) {
      const text = `Cannot ${action}: an earlier write or flush failed, the store has to be reopened: ${reasonOf(failure)}`;
      throw new ReadOnlyError(text, { cause: failure });
    }
    if (this.broken !== undefined) {
      const text = `Cannot ${action}: the transaction failed and has to be rolled back: ${reasonOf(this.broken)}`;
      throw new StateError(text, { cause: this.broken });
    }
  }

  /** @throws {StateError} while a scan runs. */
  refuseInScan(action: string): void {
    if (this.nrScans > 0)
      throw new StateError(`Cannot ${action}: a forEach is running, which wants that nothing changes`);
  }

  /** As {@link refuseUnusable}, for changes. @throws {ReadOnlyError} when the store was opened read-only. */
  refuseReadOnly(action: string): void {
    this.refuseUnusable(action);
    this.refuseInScan(action);
    if (this.readOnlyReason !== undefined) throw new ReadOnlyError(`Cannot ${action}: ${this.readOnlyReason}`);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
