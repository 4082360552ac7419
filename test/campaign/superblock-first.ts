import { BLOCK_SIZE, type BlockDevice } from 'persistent-data/io';

/** A negative control: a program that writes the superblock, durably, before all that it refers to. */
export class SuperblockFirst implements BlockDevice {
  readonly readOnly = false;
  readonly #inner: BlockDevice;
  readonly #later = new Map<number, Uint8Array>();

  constructor(inner: BlockDevice) {
    this.#inner = inner;
  }

  get nrBlocks(): number {
    return this.#inner.nrBlocks;
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    this.#inner.read(begin, buffers);
    this.#forEach(begin, buffers, (block, bytes) => {
      const later = this.#later.get(block);
      if (later !== undefined) bytes.set(later);
    });
  }

  write(begin: number, buffers: readonly Uint8Array[]): void {
    this.#forEach(begin, buffers, (block, bytes) => {
      if (block > 0) this.#later.set(block, bytes.slice());
      else this.#inner.write(block, [bytes]);
    });
    if (begin > 0) return;
    this.#inner.flush();
    for (const [block, bytes] of this.#later) this.#inner.write(block, [bytes]);
    this.#later.clear();
  }

  /** What waits is not written: the superblock goes first. */
  flush(): void {
    if (this.#later.size === 0) this.#inner.flush();
  }

  close(): void {
    this.#inner.close();
  }

  #forEach(begin: number, buffers: readonly Uint8Array[], visit: (block: number, bytes: Uint8Array) => void): void {
    let block = begin;
    for (const buffer of buffers) {
      for (let at = 0; at < buffer.byteLength; at += BLOCK_SIZE) {
        visit(block, buffer.subarray(at, at + BLOCK_SIZE));
        block += 1;
      }
    }
  }
}
