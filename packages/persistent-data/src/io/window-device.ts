import type { BlockDevice } from './block-device.ts';
import { checkOpen, checkRange, checkRun } from './block-run.ts';
import type { WrapperOptions } from './read-only-device.ts';

/** Which part of a device a window shows, in 4096-byte blocks. */
export interface WindowOptions extends WrapperOptions {
  /** The first block of the other device that is seen, as block 0. */
  readonly begin: number;
  readonly nrBlocks: number;
}

/**
 * A run of blocks of another device, seen as a device of its own. Windows may be nested and may overlap; a flush of one is a
 * flush of the whole device. Its length is fixed. Flushes asynchronously and discards where the other device does.
 */
export class WindowDevice implements BlockDevice {
  readonly nrBlocks: number;
  readonly readOnly: boolean;
  readonly flushAsync?: () => Promise<void>;
  readonly discard?: (begin: number, count: number) => void;
  readonly #inner: BlockDevice;
  readonly #begin: number;
  readonly #ownsInner: boolean;
  #closed = false;

  /** @throws {RangeError} when the window is not inside the other device. */
  constructor(inner: BlockDevice, { begin, nrBlocks, ownsInner = false }: WindowOptions) {
    checkRange('open a window of', begin, nrBlocks, inner.nrBlocks);
    this.#inner = inner;
    this.#begin = begin;
    this.#ownsInner = ownsInner;
    this.nrBlocks = nrBlocks;
    this.readOnly = inner.readOnly;
    if (inner.flushAsync !== undefined) this.flushAsync = () => this.#flushAsync();
    if (inner.discard !== undefined) this.discard = (first, count) => this.#discard(first, count);
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    checkOpen(this.#closed, 'read');
    checkRun('read', begin, buffers, this.nrBlocks);
    this.#inner.read(this.#begin + begin, buffers);
  }

  write(begin: number, buffers: readonly Uint8Array[]): void {
    checkOpen(this.#closed, 'write');
    checkRun('write', begin, buffers, this.nrBlocks);
    this.#inner.write(this.#begin + begin, buffers);
  }

  flush(): void {
    checkOpen(this.#closed, 'flush');
    this.#inner.flush();
  }

  async #flushAsync(): Promise<void> {
    checkOpen(this.#closed, 'flush');
    await this.#inner.flushAsync?.();
  }

  #discard(begin: number, count: number): void {
    checkOpen(this.#closed, 'discard');
    checkRange('discard', begin, count, this.nrBlocks);
    this.#inner.discard?.(this.#begin + begin, count);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#ownsInner) this.#inner.close();
  }
}
