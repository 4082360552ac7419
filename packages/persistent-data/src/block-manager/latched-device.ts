import { DeviceError, NoSpaceError, PersistentDataError, ReadOnlyError, UnsupportedError } from '../base/index.ts';
import type { BlockDevice } from '../io/index.ts';

export interface LatchOptions {
  /** A write that fails because the host's file system is full does not latch. */
  readonly survivesFullHost: boolean;
  /** Called once, when something fails for good. */
  readonly onFailure: () => void;
}

/**
 * A block device that is never tried again: after a failed write, flush or resize every further call fails with that reason. A failed read
 * fails alone. Counts the calls.
 */
export class LatchedDevice {
  readonly #device: BlockDevice;
  readonly #options: LatchOptions;
  #failure: PersistentDataError | undefined;
  reads = 0;
  blocksRead = 0;
  writes = 0;
  blocksWritten = 0;
  flushes = 0;

  constructor(device: BlockDevice, options: LatchOptions) {
    this.#device = device;
    this.#options = options;
  }

  get nrBlocks(): number {
    return this.#device.nrBlocks;
  }

  get readOnly(): boolean {
    return this.#device.readOnly;
  }

  /** What failed first, if anything did. */
  get failure(): PersistentDataError | undefined {
    return this.#failure;
  }

  /** @throws {ReadOnlyError} when something has failed before. */
  refuseIfFailed(action: string): void {
    if (this.#failure === undefined) return;
    const message = `Cannot ${action}: latched after a failure, reopen to go on: ${this.#failure.message}`;
    throw new ReadOnlyError(message, { cause: this.#failure });
  }

  /** Reads adjacent blocks, one to a buffer. */
  read(begin: number, buffers: readonly Uint8Array[]): void {
    this.#device.read(begin, buffers);
    this.reads++;
    this.blocksRead += buffers.length;
  }

  /** Writes adjacent blocks, one to a buffer. */
  write(begin: number, buffers: readonly Uint8Array[]): void {
    this.#call(`write blocks ${begin} to ${begin + buffers.length - 1}`, () => this.#device.write(begin, buffers));
    this.writes++;
    this.blocksWritten += buffers.length;
  }

  flush(): void {
    this.#call('flush', () => this.#device.flush());
    this.flushes++;
  }

  /** Flushes off the main thread where the device can. */
  async flushAsync(): Promise<void> {
    this.refuseIfFailed('flush');
    try {
      if (this.#device.flushAsync) await this.#device.flushAsync();
      else this.#device.flush();
    } catch (error) {
      throw this.#latch(error, 'flush');
    }
    this.flushes++;
  }

  /** @throws {UnsupportedError} when the length is fixed and another one. */
  refuseResize(nrBlocks: number): void {
    if (nrBlocks === this.#device.nrBlocks || this.#device.resize) return;
    throw new UnsupportedError('Cannot resize: the device has a fixed length');
  }

  /** Makes the device `nrBlocks` long, if it is not. */
  resize(nrBlocks: number): void {
    if (nrBlocks !== this.#device.nrBlocks) this.#call('resize', () => this.#device.resize?.(nrBlocks));
  }

  #call(action: string, call: () => void): void {
    this.refuseIfFailed(action);
    try {
      call();
    } catch (error) {
      if (this.#options.survivesFullHost && error instanceof NoSpaceError) throw error;
      throw this.#latch(error, action);
    }
  }

  #latch(error: unknown, action: string): PersistentDataError {
    const failure =
      error instanceof PersistentDataError ? error : new DeviceError(`Cannot ${action}: ${error}`, { cause: error });
    if (this.#failure === undefined) {
      this.#failure = failure;
      this.#options.onFailure();
    }
    return failure;
  }
}
