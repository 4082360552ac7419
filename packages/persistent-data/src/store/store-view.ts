import { StateError } from '../base/index.ts';
import { HEAD } from './core.ts';
import type { Engine } from './engine.ts';
import { StoreState } from './store-state.ts';

/** A state of a store that a reader holds. Made by `Store.view`; close it when done. */
export class StoreView extends StoreState {
  readonly #engine: Engine;
  readonly #id: number;
  readonly #onClose: () => void;
  #closed = false;

  /** @param id - Of the hidden snapshot; or the head, of a store that does not change. */
  constructor(engine: Engine, id: number, onClose: () => void) {
    super(engine);
    this.#engine = engine;
    this.#id = id;
    this.#onClose = onClose;
  }

  protected override branchId(action: string): number {
    if (this.#closed) throw new StateError(`Cannot ${action}: the view is closed`);
    return this.#id;
  }

  protected override get isFrozen(): boolean {
    return true;
  }

  /** Gives it up. Costs as many blocks as nothing else uses. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
    const engine = this.#engine;
    if (this.#id === HEAD || engine.closed || engine.isLatched) return;
    // After a rollback of the transaction that it was made in it is gone already.
    if (engine.core.branch(this.#id) === undefined) return;
    engine.changeLazily('close a view', (core, log) => {
      log.deleteSnapshot(this.#id);
      core.deleteSnapshot(this.#id);
    });
    engine.stamp++;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
