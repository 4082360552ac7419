import type { BlockDevice } from 'persistent-data/io';
import { BLOCK_SIZE } from './compare.ts';

/**
 * A metadata device in memory whose length the device-mapper above it sets, as reloading a linear table does. `persistent-data/io`
 * has a memory device too; this one lets a device grow behind its user's back and its bytes be compared in place.
 */
export class ImageDevice implements BlockDevice {
  readonly readOnly = false;
  #bytes: Uint8Array;

  constructor(nrBlocks: number) {
    this.#bytes = new Uint8Array(nrBlocks * BLOCK_SIZE);
  }

  get nrBlocks(): number {
    return this.#bytes.length / BLOCK_SIZE;
  }

  /** The whole device. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Makes the device longer; the new blocks are zeros. */
  grow(nrBlocks: number): void {
    if (nrBlocks < this.nrBlocks) throw new RangeError(`cannot shrink from ${this.nrBlocks} to ${nrBlocks} blocks`);
    const bytes = new Uint8Array(nrBlocks * BLOCK_SIZE);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    let offset = begin * BLOCK_SIZE;
    for (const buffer of buffers) {
      buffer.set(this.#piece(offset, buffer.length));
      offset += buffer.length;
    }
  }

  write(begin: number, buffers: readonly Uint8Array[]): void {
    let offset = begin * BLOCK_SIZE;
    for (const buffer of buffers) {
      this.#piece(offset, buffer.length).set(buffer);
      offset += buffer.length;
    }
  }

  #piece(offset: number, length: number): Uint8Array {
    if (offset < 0 || offset + length > this.#bytes.length) {
      throw new RangeError(`bytes ${offset}..${offset + length} are outside a device of ${this.#bytes.length} bytes`);
    }
    return this.#bytes.subarray(offset, offset + length);
  }

  flush(): void {}

  close(): void {}
}
