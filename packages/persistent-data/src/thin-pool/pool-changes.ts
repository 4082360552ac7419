import { StateError, type U64 } from '../base/index.ts';
import type { PoolEngine } from './pool-engine.ts';

/**
 * Changes of a pool that are made together: all of them are in one commit. Each is done when it is called, and throws when it can't be. Handed to the
 * function that `ThinPool.change` is given, and good only within it.
 */
export class PoolChanges {
  readonly #engine: PoolEngine;

  /** @internal */
  constructor(engine: PoolEngine) {
    this.#engine = engine;
  }

  /** Makes an empty volume. @throws {StateError} when the id is taken. */
  createThin(id: number): void {
    this.#engine.change(() => this.#engine.metadata.createThin(id));
  }

  /** Makes a volume with everything that another one holds, which both share from now on. O(1). */
  createSnapshot(options: { readonly snapshot: number; readonly origin: number }): void {
    this.#engine.change(() => this.#engine.metadata.createSnapshot(options));
    // Blocks that were the origin's alone are shared now.
    this.#engine.volumes.get(options.origin)?.cache.clear();
  }

  /** Deletes a volume. @throws {StateError} when it is open or not there. */
  deleteThin(id: number): void {
    this.#engine.noteFreed();
    this.#engine.change(() => this.#engine.metadata.deleteThin(id));
  }

  /** Gives a volume, which may be open, the content of another one; what it held is given up. */
  rollbackThin(options: { readonly thin: number; readonly snapshot: number }): void {
    const { thin, snapshot } = options;
    if (thin === snapshot) throw new StateError(`Cannot roll thin volume ${thin} back to itself`);
    const { metadata, volumes } = this.#engine;
    for (const id of [thin, snapshot]) {
      if (!metadata.hasThin(id)) throw new StateError(`Cannot roll back: the pool has no thin volume ${id}`);
    }
    const open = volumes.get(thin);
    open?.thin.close();
    try {
      this.deleteThin(thin);
      this.createSnapshot({ snapshot: thin, origin: snapshot });
    } finally {
      if (open !== undefined) {
        open.cache.clear();
        // When the change failed the caller rolls back, and then the handle is opened anew.
        if (metadata.core.tm.broken === undefined && metadata.hasThin(thin)) open.thin = metadata.openThin(thin);
      }
    }
  }

  /** Gives a volume the content of a snapshot, which goes: {@link rollbackThin} and {@link deleteThin}. */
  mergeSnapshot(options: { readonly snapshot: number; readonly origin: number }): void {
    const { snapshot, origin } = options;
    if (this.#engine.volumes.has(snapshot)) throw new StateError(`Cannot merge thin volume ${snapshot}: it is open`);
    this.rollbackThin({ thin: origin, snapshot });
    this.deleteThin(snapshot);
  }

  /** @throws {StateError} when the transaction id is not `expected`. */
  setTransactionId(options: { readonly expected: U64; readonly next: U64 }): void {
    this.#engine.change(() => this.#engine.metadata.setTransactionId(options));
  }
}
