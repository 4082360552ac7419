import type { ChangeQueue } from './change-queue.ts';
import { newRecord } from './new-record.ts';
import type { OpenVolumes } from './open-volumes.ts';
import { PoolVolume } from './pool-volume.ts';
import type { Registry } from './registry.ts';
import type { VolumeRecord } from './volume-record.ts';

/** What is to be received under a name. */
export interface NewReception {
  readonly sizeBytes: number;
  /** Has the content that the stream has differences to. */
  readonly base: VolumeRecord | undefined;
  /** The sender's, of the content. */
  readonly uuid: string;
  /** The same stream can't be had again: who opens the pool after a crash removes what has come. */
  readonly temporary: boolean;
}

/** The steps in which a volume that is received comes into being. A crash between them leaves it as `receivedTo` says. */
export class Receiving {
  readonly #registry: Registry;
  readonly #volumes: OpenVolumes;
  readonly #changes: ChangeQueue;

  constructor(parts: { readonly registry: Registry; readonly volumes: OpenVolumes; readonly changes: ChangeQueue }) {
    this.#registry = parts.registry;
    this.#volumes = parts.volumes;
    this.#changes = parts.changes;
  }

  /** Makes a volume with the content of its base, if there is one, that nobody can use yet. */
  begin(name: string, { sizeBytes, base, uuid, temporary }: NewReception): Promise<void> {
    return this.#inTurn(name, async () => {
      // Of a longer base all is compared, and cut off in the end.
      const size = Math.max(sizeBytes, base?.sizeBytes ?? 0);
      const options = { sizeBytes: size, readOnly: true, origin: base?.id, temporary };
      const record = { ...newRecord(this.#changes.newId(name), name, options), receivedUuid: uuid, receivedTo: 0 };
      await this.#changes.change([{ put: record }], (changes) => {
        if (base === undefined) changes.createThin(record.id);
        else changes.createSnapshot({ snapshot: record.id, origin: base.id });
      });
    });
  }

  /** A handle that can write to it. @throws {StateError} when another has it. */
  open(name: string): PoolVolume {
    const record = this.#record(name);
    this.#volumes.refuseUsed('receive', record);
    const entry = this.#volumes.take(record, true);
    return new PoolVolume(entry, false, () => this.#volumes.giveBack(entry, true));
  }

  /** Notes that all bytes below `receivedTo` have been received, durably. */
  note(name: string, receivedTo: number): Promise<void> {
    return this.#inTurn(name, () => this.#changes.writeRow({ ...this.#record(name), receivedTo }));
  }

  /** It has been received whole: from now on it is a volume like others. */
  end(
    name: string,
    { sizeBytes, writable }: { readonly sizeBytes: number; readonly writable: boolean },
  ): Promise<void> {
    return this.#inTurn(name, async () => {
      const record = this.#record(name);
      const entry = this.#volumes.take(record, true);
      try {
        await entry.thin.resize(sizeBytes);
        await entry.thin.flush();
      } finally {
        this.#volumes.giveBack(entry, true);
      }
      const receivedUuid = writable ? '' : record.receivedUuid;
      const whole = { receivedTo: undefined, temporary: false };
      await this.#changes.writeRow({ ...record, sizeBytes, readOnly: !writable, receivedUuid, ...whole });
    });
  }

  #inTurn(name: string, step: () => Promise<void>): Promise<void> {
    return this.#changes.inTurn(`receive volume "${name}"`, step);
  }

  #record(name: string): VolumeRecord {
    return this.#registry.get(name);
  }
}
