import { type DeviceError, type NoSpaceError, ReadOnlyError } from '../base/index.ts';
import { BLOCK_SIZE, type BlockDevice } from './block-device.ts';
import { checkLength, checkOpen, checkRun } from './block-run.ts';
import { type FileDeviceOptions, type OpenFile, openFile } from './file-open.ts';
import { builtinModule } from './platform.ts';
import { deviceError } from './system-error.ts';
import { transferAll, type VectoredCall } from './vectored.ts';

/**
 * A regular file, or a block device of the system, as a device of 4096-byte blocks.
 *
 * - A file whose size is no multiple of 4096 bytes has a tail that is never read or written. Only {@link resize} removes it.
 * - A writer holds `FILE.lock` while it is open (see `FileLock`); a block device is opened for one process alone instead.
 * - A file grows sparsely: the host gives out room when a block is first written, so that a *write* can fail with a
 *   `NoSpaceError` although the growth before it did not.
 * - After a failed flush the system may have dropped the unwritten bytes and call the next flush a success. So the first failure
 *   is final: every later write, flush and change of length is a `ReadOnlyError` with that failure as its `cause`. Reading
 *   goes on, and may show what never reached the disk; reopen to be sure.
 * - There is no `discard`: punching holes needs another program (`fallocate`) for each call, and one that runs beside later
 *   writes to the same blocks could undo them.
 */
export class FileDevice implements BlockDevice {
  /** As it was given to {@link FileDevice.open}. */
  readonly path: string;
  readonly readOnly: boolean;
  /** Whether it is a block device of the system and not a regular file. */
  readonly isBlockDevice: boolean;
  /** As `BlockDevice.resize`; absent on a block device. A tail is cut off when the length changes. */
  readonly resize?: (nrBlocks: number) => void;

  readonly #file: OpenFile;
  readonly #readCall: VectoredCall;
  readonly #writeCall: VectoredCall;
  #nrBlocks: number;
  #closed = false;
  #nrFlushing = 0;
  /** Counts changes of length; the last one that a flush has covered. fdatasync need not make a length durable, fsync does. */
  #lengthVersion = 0;
  #durableLengthVersion = 0;
  /** The first flush that failed. */
  #failure: DeviceError | NoSpaceError | undefined;

  private constructor(path: string, readOnly: boolean, file: OpenFile) {
    const fs = builtinModule('node:fs');
    this.path = path;
    this.readOnly = readOnly;
    this.isBlockDevice = file.isBlockDevice;
    this.#file = file;
    this.#nrBlocks = Math.floor(file.sizeBytes / BLOCK_SIZE);
    this.#readCall = (buffers, position) => fs.readvSync(file.fd, buffers, position);
    this.#writeCall = (buffers, position) => fs.writevSync(file.fd, buffers, position);
    if (!file.isBlockDevice) this.resize = (nrBlocks) => this.#resize(nrBlocks);
  }

  /**
   * Opens a file or block device. A file that is made is durable, with its name and length, when this returns.
   *
   * @throws {StateError} when the file does not exist and is not to be made, or exists and must not.
   * @throws {LockedError} when another writer has it; `holder` says who, except for block devices.
   * @throws {UnsupportedError} for a directory or other thing that has no blocks, and on platforms without `node:fs`.
   * @throws {DeviceError} when the system refuses, for example for want of permission.
   */
  static open(path: string, options: FileDeviceOptions = {}): FileDevice {
    return new FileDevice(path, options.readOnly ?? false, openFile(path, options));
  }

  /** Length in whole blocks, as found when it was opened or as set by {@link resize}. */
  get nrBlocks(): number {
    return this.#nrBlocks;
  }

  /** One system call for every 1024 buffers. */
  read(begin: number, buffers: readonly Uint8Array[]): void {
    checkOpen(this.#closed, 'read');
    const count = checkRun('read', begin, buffers, this.#nrBlocks);
    try {
      transferAll(this.#readCall, buffers, begin * BLOCK_SIZE);
    } catch (cause) {
      throw deviceError(`read ${count} blocks at block ${begin} of ${this.path}`, cause);
    }
  }

  /** One system call for every 1024 buffers. */
  write(begin: number, buffers: readonly Uint8Array[]): void {
    checkOpen(this.#closed, 'write');
    const count = checkRun('write', begin, buffers, this.#nrBlocks);
    this.#checkWritable('write');
    try {
      transferAll(this.#writeCall, buffers, begin * BLOCK_SIZE);
    } catch (cause) {
      throw deviceError(`write ${count} blocks at block ${begin} of ${this.path}`, cause);
    }
  }

  /** One fdatasync, or one fsync after a change of length. */
  flush(): void {
    checkOpen(this.#closed, 'flush');
    if (this.readOnly) return;
    this.#checkWritable('flush');
    const fs = builtinModule('node:fs');
    const version = this.#lengthVersion;
    try {
      if (version > this.#durableLengthVersion) fs.fsyncSync(this.#file.fd);
      else fs.fdatasyncSync(this.#file.fd);
    } catch (cause) {
      throw this.#latch(cause);
    }
    this.#durableLengthVersion = version;
  }

  /** As {@link flush}, in the host's thread pool. A close meanwhile does not stop it. */
  async flushAsync(): Promise<void> {
    checkOpen(this.#closed, 'flush');
    if (this.readOnly) return;
    this.#checkWritable('flush');
    const fs = builtinModule('node:fs');
    const version = this.#lengthVersion;
    const sync = version > this.#durableLengthVersion ? fs.fsync : fs.fdatasync;
    this.#nrFlushing += 1;
    try {
      await new Promise<void>((resolve, reject) => {
        sync(this.#file.fd, (cause) => (cause ? reject(cause) : resolve()));
      });
    } catch (cause) {
      throw this.#latch(cause);
    } finally {
      this.#nrFlushing -= 1;
      if (this.#closed && this.#nrFlushing === 0) this.#closeFile();
    }
    // A flush that began later may have been told of a failure that covers these writes too.
    if (this.#failure !== undefined) throw this.#latchedError('flush');
    this.#durableLengthVersion = Math.max(this.#durableLengthVersion, version);
  }

  #resize(nrBlocks: number): void {
    checkOpen(this.#closed, 'resize');
    checkLength(nrBlocks);
    this.#checkWritable('resize');
    if (nrBlocks === this.#nrBlocks) return;
    const fs = builtinModule('node:fs');
    this.#lengthVersion += 1;
    try {
      // Growing over a tail would show its bytes in a block that has to read as zeros.
      if (nrBlocks > this.#nrBlocks) fs.ftruncateSync(this.#file.fd, this.#nrBlocks * BLOCK_SIZE);
      fs.ftruncateSync(this.#file.fd, nrBlocks * BLOCK_SIZE);
    } catch (cause) {
      throw deviceError(`resize ${this.path} to ${nrBlocks} blocks`, cause);
    }
    this.#nrBlocks = nrBlocks;
  }

  /** Gives the lock back at once. The file itself is closed when the last asynchronous flush of it has ended. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.#nrFlushing === 0) this.#closeFile();
    } finally {
      this.#file.lock?.release();
    }
  }

  #closeFile(): void {
    try {
      builtinModule('node:fs').closeSync(this.#file.fd);
    } catch (cause) {
      throw deviceError(`close ${this.path}`, cause);
    }
  }

  #checkWritable(action: string): void {
    if (this.readOnly) throw new ReadOnlyError(`Cannot ${action} ${this.path}: it was opened read-only`);
    if (this.#failure !== undefined) throw this.#latchedError(action);
  }

  #latchedError(action: string): ReadOnlyError {
    const text = `Cannot ${action} ${this.path}: an earlier flush failed, it has to be reopened`;
    return new ReadOnlyError(text, { cause: this.#failure });
  }

  #latch(cause: unknown): DeviceError | NoSpaceError {
    const failure = deviceError(`flush ${this.path}`, cause);
    this.#failure ??= failure;
    return failure;
  }
}
