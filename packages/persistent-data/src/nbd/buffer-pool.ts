/** Smallest buffer that is kept. Allocating a smaller one costs less than its memory. */
const MIN_BYTES = 64 * 1024;

/**
 * Buffers for payloads, used again: fresh memory of the system has to be zeroed page by page, which costs as much as copying into it.
 * Sizes are powers of two from 64 KiB on. Keeps at most what it was told to.
 */
export class BufferPool {
  readonly #maxKeptBytes: number;
  #keptBytes = 0;
  readonly #free = new Map<number, Uint8Array[]>();

  constructor(maxKeptBytes: number) {
    this.#maxKeptBytes = maxKeptBytes;
  }

  /** Bytes that lie here unused. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** A buffer of at least `length` bytes, with any content. */
  take(length: number): Uint8Array {
    let size = MIN_BYTES;
    while (size < length) size *= 2;
    const found = this.#free.get(size)?.pop();
    if (found === undefined) return Buffer.allocUnsafeSlow(size);
    this.#keptBytes -= size;
    return found;
  }

  /** Gives a buffer back that came from {@link take}. The caller must not use it, or views of it, any more. */
  give(buffer: Uint8Array): void {
    const size = buffer.byteLength;
    if (this.#keptBytes + size > this.#maxKeptBytes) return;
    const list = this.#free.get(size);
    if (list === undefined) this.#free.set(size, [buffer]);
    else list.push(buffer);
    this.#keptBytes += size;
  }
}
