import { StateError } from '../base/index.ts';
import type { Pool, PoolVolume, VolumeRecord } from '../pool/index.ts';
import type { ByteRange, Extent, ExtentOptions, ThinPool, ThinVolume } from '../thin-pool/index.ts';

/** What an export needs of a volume that is open. */
export interface OpenSource {
  readonly blockBytes: number;
  read(offset: number, into: Uint8Array): Promise<void> | undefined;
  write(offset: number, bytes: Uint8Array): Promise<void> | undefined;
  writeZeroes(offset: number, length: number, options: { readonly mayUnmap: boolean }): Promise<void> | undefined;
  discard(offset: number, length: number): Promise<void> | undefined;
  flush(): Promise<void>;
  extents(offset: number, length: number, options: ExtentOptions): Extent[];
  close(): void;
}

/** Where an export's volume comes from. */
export interface VolumeSource {
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly readOnly: boolean;
  readonly description: string;
  open(): OpenSource;
  /** Names of snapshots that it can be compared with. */
  snapshots(): string[];
  /** In which runs of bytes, of those in a range, the open volume differs from a snapshot. */
  difference(open: OpenSource, snapshot: string, range: ByteRange & ExtentOptions): readonly ByteRange[];
}

/** A volume of a pool with names. Follows its volume when that is renamed or resized. */
export class NamedSource implements VolumeSource {
  readonly blockBytes: number;
  readonly #pool: Pool;
  readonly #id: number;
  readonly #isReadOnly: boolean;

  constructor(pool: Pool, record: VolumeRecord, options: { readonly readOnly: boolean }) {
    this.#pool = pool;
    this.#id = record.id;
    this.#isReadOnly = options.readOnly;
    this.blockBytes = pool.blockBytes;
  }

  get sizeBytes(): number {
    return this.#record().sizeBytes;
  }

  get readOnly(): boolean {
    return this.#isReadOnly || this.#record().readOnly;
  }

  get description(): string {
    const { readOnly, origin } = this.#record();
    const from = origin === undefined ? undefined : this.#pool.recordOf(origin)?.name;
    const kind = readOnly ? 'snapshot' : origin === undefined ? 'volume' : 'clone';
    return from === undefined ? `thin ${kind}` : `thin ${kind} of ${from}`;
  }

  open(): PoolVolume {
    return this.#pool.volume(this.#record().name, { readOnly: this.#isReadOnly });
  }

  /** Read-only volumes that have an ancestor in common with it. O(volumes), however long their chains are. */
  snapshots(): string[] {
    const known = new Map<number, number>();
    const family = this.#ancestor(this.#record(), known);
    return this.#pool
      .records()
      .filter((row) => row.readOnly && row.receivedTo === undefined && !row.temporary && row.id !== this.#id)
      .filter((row) => this.#ancestor(row, known) === family)
      .map(({ name }) => name);
  }

  difference(open: OpenSource, snapshot: string, range: ByteRange & ExtentOptions): readonly ByteRange[] {
    return (open as PoolVolume).difference(this.#pool.record(snapshot), range);
  }

  /** The oldest ancestor of which is known. @param known - Those of volumes that were asked for before; gains all on the way. */
  #ancestor(row: VolumeRecord, known: Map<number, number>): number {
    const way: number[] = [];
    let { id, origin } = row;
    while (origin !== undefined && !known.has(id)) {
      way.push(id);
      id = origin;
      origin = this.#pool.recordOf(origin)?.origin;
    }
    const oldest = known.get(id) ?? id;
    for (const each of way) known.set(each, oldest);
    return oldest;
  }

  #record(): VolumeRecord {
    const record = this.#pool.recordOf(this.#id);
    if (record === undefined) throw new StateError(`Cannot serve volume ${this.#id}: it was deleted`);
    return record;
  }
}

/** A volume of a pool without names, such as one that Linux made. */
export class ThinSource implements VolumeSource {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly blockBytes: number;
  readonly description: string;
  readonly #pool: ThinPool;
  readonly #id: number;

  constructor(pool: ThinPool, id: number, options: { readonly sizeBytes: number; readonly readOnly: boolean }) {
    this.#pool = pool;
    this.#id = id;
    this.sizeBytes = options.sizeBytes;
    this.readOnly = options.readOnly;
    this.blockBytes = pool.blockBytes;
    this.description = `thin device ${id}`;
  }

  open(): ThinVolume {
    return this.#pool.thin(this.#id, { sizeBytes: this.sizeBytes, readOnly: this.readOnly });
  }

  snapshots(): string[] {
    return [];
  }

  difference(): readonly ByteRange[] {
    throw new StateError('Cannot compare: the pool has no names');
  }
}
