import { ReadOnlyError } from '../base/index.ts';
import type { BlockDevice } from './block-device.ts';
import { checkOpen, checkRun } from './block-run.ts';

/** How a device that is made from another one treats it. */
export interface WrapperOptions {
  /** Closing this device closes the one under it. Default: false, whoever opened it closes it. */
  readonly ownsInner?: boolean;
}

/** Another device that cannot be changed through this one. Its length follows the other's. */
export class ReadOnlyDevice implements BlockDevice {
  readonly readOnly = true;
  readonly #inner: BlockDevice;
  readonly #ownsInner: boolean;
  #closed = false;

  constructor(inner: BlockDevice, { ownsInner = false }: WrapperOptions = {}) {
    this.#inner = inner;
    this.#ownsInner = ownsInner;
  }

  get nrBlocks(): number {
    return this.#inner.nrBlocks;
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    checkOpen(this.#closed, 'read');
    this.#inner.read(begin, buffers);
  }

  /** @throws {ReadOnlyError} always. */
  write(begin: number, buffers: readonly Uint8Array[]): void {
    checkOpen(this.#closed, 'write');
    checkRun('write', begin, buffers, this.nrBlocks);
    throw new ReadOnlyError(`Cannot write at block ${begin}: the device is read-only, a writable one is wanted`);
  }

  /** Does nothing: nothing was written. */
  flush(): void {
    checkOpen(this.#closed, 'flush');
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#ownsInner) this.#inner.close();
  }
}
