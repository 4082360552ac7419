import { ReadOnlyError, StateError } from '../base/index.ts';
import type { PoolChanges, ThinPool } from '../thin-pool/index.ts';
import { freeDeviceId } from './new-record.ts';
import type { OpenVolumes } from './open-volumes.ts';
import type { Registry, RowChange } from './registry.ts';
import { checkVolumeName } from './volume-name.ts';
import type { VolumeRecord } from './volume-record.ts';

/** Changes of names and volumes together, one after the other. */
export class ChangeQueue {
  readonly #registry: Registry;
  readonly #thinPool: ThinPool;
  readonly #volumes: OpenVolumes;
  readonly #readOnly: boolean;
  readonly #onChanged: () => void;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  /** Why changes are over: one of them ended so that only opening again tells how. */
  #failure: unknown;

  constructor(parts: {
    readonly registry: Registry;
    readonly thinPool: ThinPool;
    readonly volumes: OpenVolumes;
    readonly readOnly: boolean;
    /** Called when rows have changed. */
    readonly onChanged: () => void;
  }) {
    this.#registry = parts.registry;
    this.#thinPool = parts.thinPool;
    this.#volumes = parts.volumes;
    this.#readOnly = parts.readOnly;
    this.#onChanged = parts.onChanged;
  }

  /** Does a change when those before it have ended. */
  inTurn<R>(action: string, change: () => Promise<R>): Promise<R> {
    const turn = this.#last.then(() => {
      if (this.#isClosed) throw new StateError(`Cannot ${action}: the pool is closed`);
      if (this.#readOnly) throw new ReadOnlyError(`Cannot ${action}: the pool was opened read-only`);
      if (this.#failure !== undefined) {
        const text = `Cannot ${action}: an earlier change failed, the pool has to be opened again`;
        throw new ReadOnlyError(text, { cause: this.#failure });
      }
      return change();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Changes rows, and the pool with them: see {@link Registry}. */
  async change(rows: readonly RowChange[], make: (changes: PoolChanges) => void): Promise<void> {
    const next = await this.#registry.intend(rows);
    try {
      await this.#thinPool.change((changes) => {
        make(changes);
        changes.setTransactionId({ expected: this.#registry.transactionId, next });
      });
    } catch (error) {
      const { mode } = this.#thinPool.info;
      // After a failed write nobody knows whether the commit is on the disk: the next opening sees it.
      if (mode === 'read_only' || mode === 'fail') this.#failure = error;
      else await this.#registry.forget();
      throw error;
    }
    await this.#registry.settle();
    for (const row of rows) if ('put' in row) this.#noteRecord(row.put);
    this.#onChanged();
  }

  /** Changes a row alone. */
  async writeRow(record: VolumeRecord): Promise<void> {
    await this.#registry.write([{ put: record }]);
    this.#noteRecord(record);
    this.#onChanged();
  }

  /** An id for a volume of a new name. @throws {StateError} when the name is taken. */
  newId(name: string): number {
    this.refuseTaken(name);
    return freeDeviceId(this.#registry.rows());
  }

  /** @throws {StateError} when a volume has the name. @throws {RangeError} when it is none. */
  refuseTaken(name: string): void {
    checkVolumeName(name);
    if (this.#registry.find(name) !== undefined) throw new StateError(`Cannot use the name "${name}": a volume has it`);
  }

  /** No change begins any more; resolves when the last one has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#last;
  }

  #noteRecord(record: VolumeRecord): void {
    const entry = this.#volumes.get(record.id);
    if (entry !== undefined) entry.record = record;
  }
}
