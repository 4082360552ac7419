import { ReadOnlyError, StateError } from '../base/index.ts';
import type { ByteRange, Extent, ExtentOptions, ThinVolume, VolumeDifference } from '../thin-pool/index.ts';
import type { OpenVolume } from './open-volumes.ts';
import type { VolumeRecord } from './volume-record.ts';

/**
 * A handle on a volume of a pool: any byte of it can be read and written. Offsets and lengths in bytes. Several handles may be open on one volume.
 *
 * Requests are done at once and answer `undefined`, or answer a promise when they have to wait for data space; what fails throws or rejects, as
 * `ThinVolume` says. Nothing is durable before {@link flush} has resolved.
 */
export class PoolVolume {
  /** Whether this handle can't write: so it was asked for, or the volume is. */
  readonly readOnly: boolean;
  readonly #entry: OpenVolume;
  // At hand, for the shortest way to the data.
  readonly #thin: ThinVolume;
  readonly #release: () => void;
  #isClosed = false;

  /** @internal Made by `Pool.volume`. */
  constructor(entry: OpenVolume, readOnly: boolean, release: () => void) {
    this.#entry = entry;
    this.#thin = entry.thin;
    this.readOnly = readOnly;
    this.#release = release;
  }

  /** What the registry knows of it, now. */
  get record(): VolumeRecord {
    return this.#entry.record;
  }

  get name(): string {
    return this.#entry.record.name;
  }

  get sizeBytes(): number {
    return this.#thin.sizeBytes;
  }

  /** The unit of sharing, provisioning and discarding. */
  get blockBytes(): number {
    return this.#thin.blockBytes;
  }

  /** Fills `into` with the bytes from `offset` on; zeros where nothing was written. */
  read(offset: number, into: Uint8Array): Promise<void> | undefined {
    if (this.#isClosed) this.#refuseClosed();
    return this.#thin.read(offset, into);
  }

  write(offset: number, bytes: Uint8Array): Promise<void> | undefined {
    if (this.readOnly || this.#isClosed) this.#refuseWrite();
    return this.#thin.write(offset, bytes);
  }

  /** Makes a run of bytes zeros; with `mayUnmap` (the default) whole blocks give their room back. */
  writeZeroes(offset: number, length: number, options?: { readonly mayUnmap?: boolean }): Promise<void> | undefined {
    this.#refuseWrite();
    return this.#thin.writeZeroes(offset, length, options);
  }

  /** Says that a run of bytes is not needed any more: whole blocks of it read as zeros then. */
  discard(offset: number, length: number): Promise<void> | undefined {
    this.#refuseWrite();
    return this.#thin.discard(offset, length);
  }

  /** Makes everything durable that was answered before. */
  flush(): Promise<void> {
    if (this.#isClosed) this.#refuseClosed();
    return this.#thin.flush();
  }

  /** What lies in a run of bytes, in order. */
  extents(offset: number, length: number, options?: ExtentOptions): Extent[] {
    this.#refuseClosed();
    return this.#thin.extents(offset, length, options);
  }

  /**
   * The runs of bytes in which this volume's blocks are not those of another one of the same pool; with `offset` and `length` only those in a run of
   * bytes, as cheaply. @param other - Open, or a record of the pool.
   */
  difference(other: PoolVolume | VolumeRecord, options?: Partial<ByteRange> & ExtentOptions): VolumeDifference[] {
    this.#refuseClosed();
    return this.#thin.difference(other instanceof PoolVolume ? other.#thin : other.id, options);
  }

  /** Gives the handle back. What was not flushed is committed with the pool's next commit. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw new StateError(`Cannot go on with volume "${this.name}": this handle was closed`);
  }

  #refuseWrite(): void {
    this.#refuseClosed();
    if (this.readOnly) throw new ReadOnlyError(`Cannot write to volume "${this.name}": it is read-only`);
  }
}
