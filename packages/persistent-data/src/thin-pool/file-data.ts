import { type DeviceError, monotonicMs, type NoSpaceError, ReadOnlyError } from '../base/index.ts';
import { BLOCK_SIZE, deviceError, type OpenFile, openFile, transferAll } from '../io/index.ts';
import { builtinModule } from '../io/platform.ts';
import { type ByteRange, checkBytes, checkDataWritable, type DataDevice } from './data-device.ts';
import { FlushHabit } from './flush-habit.ts';
import { hasPunchProgram, punchFile, punchFileNow } from './hole-punch.ts';

/** A process costs as much as writing some MiB of zeros. */
const MIN_CLEARED_BYTES = 16 * 1024 * 1024;

/** How to open a file as a data device. */
export interface FileDataOptions {
  /** Nothing can be written. Default: false. */
  readonly readOnly?: boolean;
  /** `true`: a file that does not exist is made. `'new'`: it must not exist. Default: false. */
  readonly create?: boolean | 'new';
  /** A shorter file is made this long, in bytes; sparse. Default: as it is. */
  readonly sizeBytes?: number;
  /** Takes the file's lock as `FileDevice` does. Default: true. */
  readonly exclusive?: boolean;
}

/**
 * The data of a pool in a regular file (sparse: the host gives room when a block is first written) or a block device of the system.
 *
 * Holes are punched through util-linux's `fallocate`, in another process, and only in regular files; where that is missing or the file system
 * can't, {@link canPunchHoles} is false. After a failed flush nothing more is written: reopen.
 */
export class FileData implements DataDevice {
  readonly path: string;
  readonly readOnly: boolean;
  zeroFrom: number;
  readonly resize?: (sizeBytes: number) => void;
  isClosed = false;
  readonly #fs = builtinModule('node:fs');
  readonly #file: OpenFile;
  #sizeBytes: number;
  #canPunchHoles: boolean;
  /** Flushes and punches under way: they need the file open. */
  #nrUnderWay = 0;
  /** fdatasync need not make a length or a hole durable: counts changes, and the last one that a flush has covered. */
  #lengthVersion = 0;
  #durableLengthVersion = 0;
  readonly #habit = new FlushHabit();
  #failure: DeviceError | NoSpaceError | undefined;

  private constructor(path: string, readOnly: boolean, file: OpenFile) {
    this.path = path;
    this.readOnly = readOnly;
    this.#file = file;
    this.#sizeBytes = file.sizeBytes;
    this.zeroFrom = file.sizeBytes;
    this.#canPunchHoles = !readOnly && !file.isBlockDevice && hasPunchProgram();
    if (!file.isBlockDevice) this.resize = (sizeBytes) => this.#resize(sizeBytes);
  }

  /**
   * @throws {StateError} when the file does not exist and is not to be made, or exists and must not.
   * @throws {LockedError} when another writer has it.
   * @throws {DeviceError} when the system refuses.
   */
  static open(path: string, options: FileDataOptions = {}): FileData {
    const { sizeBytes, ...others } = options;
    // Made empty and lengthened here: so all of it is known to be zeros.
    const data = new FileData(path, options.readOnly ?? false, openFile(path, others));
    try {
      if (sizeBytes !== undefined && sizeBytes > data.sizeBytes) data.resize?.(sizeBytes);
    } catch (error) {
      data.close();
      throw error;
    }
    return data;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Becomes false when the file system has refused once. */
  get canPunchHoles(): boolean {
    return this.#canPunchHoles;
  }

  /** One system call, unless it stops short. */
  read(offset: number, into: Uint8Array): void {
    const { length } = into;
    if (!(offset + length <= this.#sizeBytes)) checkBytes('read', offset, length, this.#sizeBytes);
    this.#habit.transfer(length);
    try {
      const done = this.#fs.readSync(this.#file.fd, into, 0, length, offset);
      if (done === length) return;
      transferAll(
        (buffers, at) => this.#fs.readvSync(this.#file.fd, buffers, at),
        [into.subarray(done)],
        offset + done,
      );
    } catch (cause) {
      throw deviceError(`read ${length} bytes at ${offset} of ${this.path}`, cause);
    }
  }

  write(offset: number, from: Uint8Array): void {
    const { length } = from;
    this.#checkWrite(offset, length);
    try {
      const done = this.#fs.writeSync(this.#file.fd, from, 0, length, offset);
      if (done === length) return;
      transferAll(
        (buffers, at) => this.#fs.writevSync(this.#file.fd, buffers, at),
        [from.subarray(done)],
        offset + done,
      );
    } catch (cause) {
      throw deviceError(`write ${length} bytes at ${offset} of ${this.path}`, cause);
    }
  }

  writeVectored(offset: number, from: readonly Uint8Array[]): void {
    let length = 0;
    for (const buffer of from) length += buffer.length;
    this.#checkWrite(offset, length);
    try {
      transferAll((buffers, at) => this.#fs.writevSync(this.#file.fd, buffers, at), from, offset);
    } catch (cause) {
      throw deviceError(`write ${length} bytes at ${offset} of ${this.path}`, cause);
    }
  }

  flush(): void {
    if (this.readOnly) return;
    this.#checkWritable('flush');
    const version = this.#lengthVersion;
    try {
      if (version > this.#durableLengthVersion) this.#fs.fsyncSync(this.#file.fd);
      else this.#fs.fdatasyncSync(this.#file.fd);
    } catch (cause) {
      throw this.#latch(cause);
    }
    this.#durableLengthVersion = version;
  }

  /** As {@link flush}, in the host's thread pool; at once where that is better for all ({@link FlushHabit}). */
  async flushAsync(): Promise<void> {
    if (this.readOnly) return;
    this.#checkWritable('flush');
    const beginMs = monotonicMs();
    if (this.#habit.begin()) this.flush();
    else await this.#flushElsewhere();
    this.#habit.end(monotonicMs() - beginMs);
  }

  async #flushElsewhere(): Promise<void> {
    const version = this.#lengthVersion;
    const sync = version > this.#durableLengthVersion ? this.#fs.fsync : this.#fs.fdatasync;
    await this.#whileOpen(
      () =>
        new Promise<void>((resolve, reject) => {
          sync(this.#file.fd, (cause) => (cause ? reject(this.#latch(cause)) : resolve()));
        }),
    );
    // A flush that began later may have been told of a failure that covers these writes too.
    if (this.#failure !== undefined) throw this.#latchedError('flush');
    this.#durableLengthVersion = Math.max(this.#durableLengthVersion, version);
  }

  /** Off the main thread: one process for all runs, which takes about a millisecond for each. */
  async punchHoles(ranges: readonly ByteRange[]): Promise<boolean> {
    if (!this.#canPunchHoles) return false;
    this.#checkWritable('punch holes');
    const isDone = await this.#whileOpen(() => punchFile(this.#file.fd, ranges));
    // Most likely the file system can't: asking again would cost a process each time.
    if (!isDone) this.#canPunchHoles = false;
    return isDone;
  }

  /** A hole, punched by another process while this one waits for it, some milliseconds: in a file that is sparse anyway, and where the run is long. */
  clear(offset: number, length: number): number {
    if (!this.#canPunchHoles || length < MIN_CLEARED_BYTES) return 0;
    this.#checkWritable('clear');
    checkBytes('clear', offset, length, this.#sizeBytes);
    // Whoever has all of a file allocated wants to keep that.
    const { blocks, size } = this.#fs.fstatSync(this.#file.fd);
    if (blocks * 512 >= size) return 0;
    if (!punchFileNow(this.#file.fd, { offset, length })) {
      this.#canPunchHoles = false;
      return 0;
    }
    this.#lengthVersion += 1;
    return length;
  }

  /** Gives the lock back at once. The file is closed when what is under way has ended. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#closeWhenIdle();
    this.#file.lock?.release();
  }

  #resize(sizeBytes: number): void {
    this.#checkWritable('resize');
    if (!(Number.isSafeInteger(sizeBytes) && sizeBytes >= this.#sizeBytes)) {
      throw new RangeError(
        `Cannot resize ${this.path} to ${sizeBytes} bytes: it has ${this.#sizeBytes}, at least that is wanted`,
      );
    }
    this.#lengthVersion += 1;
    try {
      this.#fs.ftruncateSync(this.#file.fd, sizeBytes);
    } catch (cause) {
      throw deviceError(`resize ${this.path} to ${Math.floor(sizeBytes / BLOCK_SIZE)} blocks`, cause);
    }
    this.#sizeBytes = sizeBytes;
  }

  async #whileOpen<R>(work: () => Promise<R>): Promise<R> {
    this.#nrUnderWay += 1;
    try {
      return await work();
    } finally {
      this.#nrUnderWay -= 1;
      if (this.isClosed) this.#closeWhenIdle();
    }
  }

  #closeWhenIdle(): void {
    if (this.#nrUnderWay > 0) return;
    try {
      this.#fs.closeSync(this.#file.fd);
    } catch (cause) {
      throw deviceError(`close ${this.path}`, cause);
    }
  }

  #checkWrite(offset: number, length: number): void {
    if (this.readOnly || this.isClosed || this.#failure !== undefined) this.#checkWritable('write');
    if (!(offset + length <= this.#sizeBytes)) checkBytes('write', offset, length, this.#sizeBytes);
    if (offset + length > this.zeroFrom) this.zeroFrom = offset + length;
    this.#habit.transfer(length);
  }

  #checkWritable(action: string): void {
    checkDataWritable(`${action} ${this.path}`, this);
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
