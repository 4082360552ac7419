import { StateError } from '../base/index.ts';
import type { SnapshotRecord } from './catalogue.ts';
import type { Engine } from './engine.ts';
import { StoreState } from './store-state.ts';

/**
 * A state of a store that has a name and lasts. It can be read and, as a branch of its own, changed: changes of its collections go to it and to
 * nothing else. Everything that it shares with the head and with other snapshots is stored once.
 */
export class Snapshot extends StoreState {
  readonly id: number;
  readonly name: string;
  readonly created: Date;
  /** The snapshot that it was made from, directly or by way of the head; `undefined` when there was none. It may be deleted by now. */
  readonly parentId: number | undefined;
  readonly #engine: Engine;
  #stamp: number;

  constructor(engine: Engine, id: number, record: SnapshotRecord) {
    super(engine);
    this.#engine = engine;
    this.#stamp = engine.stamp;
    this.id = id;
    this.name = record.name;
    this.created = new Date(record.createdMs);
    this.parentId = record.parent === 0 ? undefined : record.parent;
  }

  protected override branchId(action: string): number {
    const { core, stamp } = this.#engine;
    if (stamp !== this.#stamp) {
      const record = core.snapshots.lookup(core.snapshotsRoot, this.id);
      // After a rollback the same id may have been given to another snapshot.
      if (record === undefined || record.name !== this.name || record.createdMs !== this.created.getTime()) {
        throw new StateError(`Cannot ${action}: snapshot "${this.name}" is not there any more`);
      }
      this.#stamp = stamp;
    }
    return this.id;
  }

  /** Makes another snapshot of this one, as it is now. O(1). @throws {StateError} when there is one of this name. */
  snapshot(name: string): Snapshot {
    return makeNamedSnapshot(this.#engine, this, name);
  }

  /** Deletes it. Costs as many blocks as nobody else shares. */
  remove(): void {
    const id = this.branchId('delete a snapshot');
    const engine = this.#engine;
    engine.change('delete a snapshot', (core, log) => {
      log.deleteSnapshot(id);
      core.deleteSnapshot(id);
    });
    engine.stamp++;
  }

  /** Makes the head of the store what this snapshot is now. The snapshot stays. Costs as many blocks as only the head's state until now uses. */
  restore(): void {
    const { id } = this.branch('restore a snapshot');
    const engine = this.#engine;
    engine.change('restore a snapshot', (core, log) => {
      log.restore(id);
      core.restore(core.branch(id)!);
    });
    engine.stamp++;
  }
}

/** Makes a snapshot whose name is not in use. */
export function makeNamedSnapshot(engine: Engine, state: StoreState, name: string): Snapshot {
  engine.refuseReadOnly('make a snapshot');
  if (engine.core.findSnapshot(name) !== undefined)
    throw new StateError(`Cannot make snapshot "${name}": there is one of this name`);
  const id = state.makeSnapshot(name, { flags: 0, lazy: false });
  return new Snapshot(engine, id, engine.core.snapshots.lookup(engine.core.snapshotsRoot, id)!);
}
