import { ReadOnlyError, StateError, unixMs } from '../base/index.ts';
import { type PoolEvent, ThinPool } from '../thin-pool/index.ts';
import { ChangeQueue } from './change-queue.ts';
import { formatPool } from './format-pool.ts';
import { namedStatus } from './named-status.ts';
import { newRecord } from './new-record.ts';
import { OpenVolumes } from './open-volumes.ts';
import type { NamedPoolStatus, PoolCreateOptions, PoolOptions, VolumeInfo } from './options.ts';
import { openPoolFolder, type PoolDevices } from './pool-folder.ts';
import { PoolVolume } from './pool-volume.ts';
import { Receiving } from './receiving.ts';
import { matchRows } from './reconcile.ts';
import { Registry } from './registry.ts';
import type { VolumeRecord } from './volume-record.ts';
import { changeSize } from './volume-size.ts';

/** 15.88 GiB, the format's limit. */
const MAX_METADATA_BLOCKS = 4_161_600;

/**
 * A thin pool with names: volumes and snapshots by name, in a folder of three files. Names and volumes can't come apart: after a crash each change is in
 * both, or in neither.
 *
 * Changes may be asked for at any time, also several at once: they are made one after the other, and each is durable when it resolves.
 *
 * @example
 * ```ts
 * const pool = Pool.create('vms', { sizeBytes: 2 ** 30 });
 * await pool.createVolume('root', { sizeBytes: 256 * 2 ** 20 });
 * const volume = pool.volume('root');
 * await volume.write(0, new TextEncoder().encode('hello'));
 * await pool.createSnapshot('root', 'monday'); // O(1), and takes no room until something changes
 * await pool.close();
 * ```
 */
export class Pool {
  /** The folder; `undefined` for a pool on devices. */
  readonly folder: string | undefined;
  readonly readOnly: boolean;
  /** Resolves when the temporary volumes that a crash has left are gone, as far as they can be removed. Changes wait for it by themselves. */
  readonly tidied: Promise<void>;
  /** @internal */
  readonly receiving: Receiving;
  readonly #thinPool: ThinPool;
  readonly #registry: Registry;
  readonly #volumes: OpenVolumes;
  readonly #closeDevices: () => void;
  readonly #changes: ChangeQueue;
  readonly #listeners = new Set<() => void>();
  #isClosed = false;

  private constructor(devices: PoolDevices, options: PoolOptions, folder: string | undefined) {
    const { readOnly = false, reconcile = false, lowWaterBytes, onEvent, ...others } = options;
    this.folder = folder;
    this.readOnly = readOnly;
    this.#closeDevices = () => {
      if (folder !== undefined) for (const device of Object.values(devices)) device.close();
    };
    const opened: { close(): unknown }[] = [];
    try {
      this.#registry = Registry.open(devices.registry, { readOnly });
      opened.push(this.#registry);
      const lowWater = Math.floor((lowWaterBytes ?? devices.data.sizeBytes / 8) / this.#registry.blockBytes);
      this.#thinPool = ThinPool.open({
        ...others,
        metadata: devices.metadata,
        data: devices.data,
        readOnly,
        lowWaterBlocks: lowWater,
        onEvent: (event) => this.#heard(event, onEvent),
      });
      opened.push({ close: () => this.#thinPool.metadata.close() });
      matchRows(this.#registry, this.#thinPool, { force: reconcile && !readOnly, nowMs: unixMs() });
    } catch (error) {
      for (const part of opened.reverse()) part.close();
      this.#closeDevices();
      throw error;
    }
    this.#volumes = new OpenVolumes(this.#thinPool);
    const parts = { registry: this.#registry, thinPool: this.#thinPool, volumes: this.#volumes };
    const onChanged = (): void => {
      for (const listener of this.#listeners) listener();
    };
    this.#changes = new ChangeQueue({ ...parts, readOnly, onChanged });
    this.receiving = new Receiving({ ...parts, changes: this.#changes });
    this.tidied = readOnly ? Promise.resolve() : this.#removeTemporary();
  }

  /**
   * Makes a pool, in a folder that is missing or empty, or on devices whose content is lost, and opens it. A crash meanwhile leaves a folder in which it
   * can be made again.
   *
   * @throws {StateError} when something is in the folder. @throws {RangeError} for sizes that can't be.
   */
  static create(where: string | PoolDevices, options: PoolCreateOptions = {}): Pool {
    const { sizeBytes: _size, blockBytes: _block, ...others } = options;
    formatPool(where, options);
    return Pool.open(where, others);
  }

  /**
   * Opens a pool. A change that a crash has interrupted between names and volumes is finished, or taken back.
   *
   * @throws {StateError} when there is none, or when names and volumes don't match because something else has changed it (see `reconcile`).
   * @throws {LockedError} when another process has it open; `holder` says which, and since when.
   */
  static open(where: string | PoolDevices, options: PoolOptions = {}): Pool {
    const { readOnly = false } = options;
    if (typeof where !== 'string') return new Pool(where, options, undefined);
    return new Pool(openPoolFolder(where, { readOnly }), options, where);
  }

  /** 36 characters that no other pool has. */
  get uuid(): string {
    return this.#registry.uuid;
  }

  /** The unit of sharing and provisioning. */
  get blockBytes(): number {
    return this.#thinPool.blockBytes;
  }

  /** The pool without names: for what there is no word for here. Changing volumes through it makes names and volumes differ. */
  get thinPool(): ThinPool {
    return this.#thinPool;
  }

  /** All volumes, in the order in which they were made. */
  volumes(): VolumeInfo[] {
    this.#refuseClosed('list volumes');
    const mapped = new Map(this.#thinPool.devices().map(({ id, mappedBlocks }) => [id, mappedBlocks]));
    return this.#registry.rows().map((record) => this.#infoOf(record, mapped.get(record.id) ?? 0));
  }

  /** What is known of a volume. @throws {StateError} when there is none of this name. */
  record(name: string): VolumeRecord {
    return this.#registry.get(name);
  }

  /** What is known of the volume with this id. */
  recordOf(id: number): VolumeRecord | undefined {
    return this.#registry.byId(id);
  }

  /** What is known of all volumes, by id. */
  records(): VolumeRecord[] {
    return this.#registry.rows();
  }

  has(name: string): boolean {
    return this.#registry.find(name) !== undefined;
  }

  /** The volume with this content, here or where it was received from; read-only ones only. */
  findContent(uuid: string): VolumeRecord | undefined {
    const isIt = (row: VolumeRecord): boolean => row.uuid === uuid || row.receivedUuid === uuid;
    return this.#registry.rows().find((row) => row.readOnly && row.receivedTo === undefined && isIt(row));
  }

  /** Has a function called whenever volumes were made, deleted, renamed or resized, by whomever; it must not throw. Answers how to end that. */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Opens a volume; several handles may be open at the same time.
   * @param options.readOnly - Default: whether the volume is.
   * @throws {StateError} when there is none of this name, or it has not been received whole.
   */
  volume(name: string, options: { readonly readOnly?: boolean } = {}): PoolVolume {
    this.#refuseClosed(`open volume "${name}"`);
    const record = this.record(name);
    const readOnly = (options.readOnly ?? false) || record.readOnly || this.readOnly;
    if (record.receivedTo !== undefined) {
      throw new StateError(`Cannot open volume "${name}": it has not been received whole, send it again to go on`);
    }
    return this.#open(record, readOnly);
  }

  /** Makes an empty volume. @throws {StateError} when the name is taken. */
  createVolume(name: string, options: { readonly sizeBytes: number }): Promise<void> {
    return this.#changes.inTurn(`make volume "${name}"`, async () => {
      const record = newRecord(this.#changes.newId(name), name, { sizeBytes: options.sizeBytes, readOnly: false });
      await this.#changes.change([{ put: record }], (changes) => changes.createThin(record.id));
    });
  }

  /**
   * Makes a snapshot of a volume, which may be in use, or of a snapshot: with everything that was answered until now. O(1), and a commit.
   * @param options.writable - Whether it can be written at once: a clone. Default: false.
   * @param options.temporary - Whether who opens the pool the next time removes it, if it is still there. Default: false.
   */
  createSnapshot(
    origin: string,
    name: string,
    options: { readonly writable?: boolean; readonly temporary?: boolean } = {},
  ): Promise<void> {
    return this.#changes.inTurn(`make snapshot "${name}"`, async () => {
      const from = this.#whole(origin);
      const { writable = false, temporary = false } = options;
      const readOnly = !writable;
      const make = { sizeBytes: from.sizeBytes, readOnly, origin: from.id, temporary };
      const record = newRecord(this.#changes.newId(name), name, make);
      // The same content: what is received from it can be told by either.
      const received = readOnly && from.readOnly ? { receivedUuid: from.receivedUuid || from.uuid } : {};
      await this.#changes.change([{ put: { ...record, ...received } }], (changes) =>
        changes.createSnapshot({ snapshot: record.id, origin: from.id }),
      );
    });
  }

  /** Gives a volume, which nobody may have open for writing, the content and size of another one, which stays. */
  rollback(name: string, to: string): Promise<void> {
    return this.#changes.inTurn(`roll volume "${name}" back`, async () => {
      const record = this.#whole(name);
      const target = this.#whole(to);
      if (record === target) throw new StateError(`Cannot roll volume "${name}" back to itself`);
      if (record.readOnly) throw new ReadOnlyError(`Cannot roll volume "${name}" back: it is read-only`);
      this.#volumes.refuseUsed('roll back', record);
      await this.#changes.change([{ put: { ...record, sizeBytes: target.sizeBytes } }], (changes) =>
        changes.rollbackThin({ thin: record.id, snapshot: target.id }),
      );
    });
  }

  /** Gives a volume the content of a snapshot, which goes. Nobody may have one of them open. */
  merge(snapshot: string, into: string): Promise<void> {
    return this.#changes.inTurn(`merge volume "${snapshot}"`, async () => {
      const from = this.#whole(snapshot);
      const record = this.#whole(into);
      if (record === from) throw new StateError(`Cannot merge volume "${into}" into itself`);
      if (record.readOnly) throw new ReadOnlyError(`Cannot merge into volume "${into}": it is read-only`);
      for (const each of [from, record]) this.#volumes.refuseUsed('merge', each);
      await this.#changes.change([{ remove: from.id }, { put: { ...record, sizeBytes: from.sizeBytes } }], (changes) =>
        changes.mergeSnapshot({ snapshot: from.id, origin: record.id }),
      );
    });
  }

  /** Deletes a volume that nobody has open. What others share stays. */
  deleteVolume(name: string): Promise<void> {
    return this.#changes.inTurn(`delete volume "${name}"`, async () => {
      const record = this.record(name);
      this.#volumes.refuseUsed('delete', record);
      await this.#changes.change([{ remove: record.id }], (changes) => changes.deleteThin(record.id));
    });
  }

  /** Gives a volume another name. */
  renameVolume(name: string, to: string): Promise<void> {
    return this.#changes.inTurn(`rename volume "${name}"`, async () => {
      const record = this.record(name);
      this.#changes.refuseTaken(to);
      await this.#changes.writeRow({ ...record, name: to });
    });
  }

  /** Makes a volume read-only, or writable. @throws {StateError} when somebody can write to it. */
  protect(name: string, readOnly: boolean): Promise<void> {
    return this.#changes.inTurn(`protect volume "${name}"`, async () => {
      const record = this.#whole(name);
      if (record.readOnly === readOnly) return;
      this.#volumes.refuseWritten('protect', record);
      // From now on the content may change: nothing that was sent before is based on it any more.
      const fresh = readOnly ? {} : { uuid: globalThis.crypto.randomUUID(), receivedUuid: '' };
      if (readOnly) await this.#thinPool.flush();
      await this.#changes.writeRow({ ...record, readOnly, ...fresh });
    });
  }

  /**
   * Changes the size of a volume. Who has it open can go on while it grows, and sees the new size; a smaller one wants that nobody has. What lies beyond a
   * smaller end is given up first: after a crash meanwhile the size may still be the old one, with zeros there.
   */
  resizeVolume(name: string, sizeBytes: number): Promise<void> {
    return this.#changes.inTurn(`resize volume "${name}"`, () =>
      changeSize({ changes: this.#changes, volumes: this.#volumes }, this.#whole(name), sizeBytes),
    );
  }

  /** Makes the data longer; requests that wait for space go on. @throws {RangeError} when it would be shorter. */
  grow(sizeBytes: number): Promise<void> {
    return this.#changes.inTurn('grow the pool', async () => {
      const now = this.status().dataBytes;
      if (!(Number.isSafeInteger(sizeBytes) && sizeBytes >= now)) {
        throw new RangeError(`Cannot grow the pool to ${sizeBytes} bytes: it has ${now}, at least that is wanted`);
      }
      await this.#thinPool.resizeData(sizeBytes);
    });
  }

  /** How the pool is. Costs nothing. */
  status(): NamedPoolStatus {
    this.#refuseClosed('tell the status');
    return namedStatus(this.#thinPool.info, this.#registry, this.folder);
  }

  /** Makes everything durable that was answered before, of all volumes. */
  flush(): Promise<void> {
    return this.#thinPool.flush();
  }

  /** Commits, closes all volumes, gives the files back. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#changes.close();
    try {
      await this.#thinPool.close();
    } finally {
      this.#registry.close();
      this.#closeDevices();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #open(record: VolumeRecord, readOnly: boolean): PoolVolume {
    const entry = this.#volumes.take(record, !readOnly);
    return new PoolVolume(entry, readOnly, () => this.#volumes.giveBack(entry, !readOnly));
  }

  async #removeTemporary(): Promise<void> {
    const left = this.#registry.rows().filter(({ temporary }) => temporary);
    if (left.length === 0 || this.#thinPool.info.mode !== 'write') return;
    // Where one stays, because somebody uses it or there is no space to work with, the next opening tries again.
    await Promise.allSettled(left.map(({ name }) => this.deleteVolume(name)));
  }

  /** The record of a volume that is not being received. */
  #whole(name: string): VolumeRecord {
    const record = this.record(name);
    if (record.receivedTo === undefined) return record;
    throw new StateError(`Cannot use volume "${name}": it has not been received whole`);
  }

  #infoOf(record: VolumeRecord, mappedBlocks: number): VolumeInfo {
    const { origin, ...others } = record;
    return {
      ...others,
      origin: origin === undefined ? undefined : this.#registry.byId(origin)?.name,
      mappedBytes: mappedBlocks * this.blockBytes,
      nrUsers: this.#volumes.nrUsers(record.id),
    };
  }

  #heard(event: PoolEvent, onEvent: PoolOptions['onEvent']): void {
    if (event.event === 'metadata_low_water' && !this.readOnly) queueMicrotask(() => this.#growMetadata());
    onEvent?.(event);
  }

  /** Doubles the metadata: its file is sparse, and who serves volumes does not want to care. Where that fails the pool's mode tells it in time. */
  #growMetadata(): void {
    const wanted = Math.min(MAX_METADATA_BLOCKS, this.#thinPool.info.nrMetadataBlocks * 2);
    this.#changes.inTurn('grow the metadata', () => this.#thinPool.resizeMetadata(wanted)).catch(() => undefined);
  }

  #refuseClosed(action: string): void {
    if (this.#isClosed) throw new StateError(`Cannot ${action}: the pool is closed`);
  }
}
