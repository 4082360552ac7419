import { StateError } from '../base/index.ts';
import type { ThinPool, ThinVolume } from '../thin-pool/index.ts';
import type { VolumeRecord } from './volume-record.ts';

/** A volume that is open, by one or several handles. */
export interface OpenVolume {
  readonly thin: ThinVolume;
  record: VolumeRecord;
  nrUsers: number;
  nrWriters: number;
}

/** The volumes of a pool that are open: the pool opens each one once, however many handles there are. */
export class OpenVolumes {
  readonly #pool: ThinPool;
  readonly #open = new Map<number, OpenVolume>();

  constructor(pool: ThinPool) {
    this.#pool = pool;
  }

  /** One more handle. */
  take(record: VolumeRecord, isWriter: boolean): OpenVolume {
    let entry = this.#open.get(record.id);
    if (entry === undefined) {
      const thin = this.#pool.thin(record.id, { sizeBytes: record.sizeBytes });
      entry = { thin, record, nrUsers: 0, nrWriters: 0 };
      this.#open.set(record.id, entry);
    }
    entry.nrUsers += 1;
    if (isWriter) entry.nrWriters += 1;
    return entry;
  }

  /** One handle less; the last one closes the volume. */
  giveBack(entry: OpenVolume, isWriter: boolean): void {
    entry.nrUsers -= 1;
    if (isWriter) entry.nrWriters -= 1;
    if (entry.nrUsers > 0) return;
    this.#open.delete(entry.record.id);
    entry.thin.close();
  }

  get(id: number): OpenVolume | undefined {
    return this.#open.get(id);
  }

  nrUsers(id: number): number {
    return this.#open.get(id)?.nrUsers ?? 0;
  }

  /** @throws {StateError} when somebody has it open. */
  refuseUsed(action: string, record: VolumeRecord): void {
    const users = this.nrUsers(record.id);
    if (users > 0) throw new StateError(`Cannot ${action} volume "${record.name}": it is in use by ${users}`);
  }

  /** @throws {StateError} when somebody can write to it. */
  refuseWritten(action: string, record: VolumeRecord): void {
    const writers = this.#open.get(record.id)?.nrWriters ?? 0;
    if (writers > 0) throw new StateError(`Cannot ${action} volume "${record.name}": ${writers} can write to it`);
  }
}
