import { METADATA_BLOCK_SIZE } from '../format/index.ts';
import { type BlockDevice, checkRun } from '../io/index.ts';

/**
 * A device that keeps what is written in memory, and reads everything else from another one, which is never written. A store that is opened
 * read-only replays its journal on this.
 */
export class OverlayDevice implements BlockDevice {
  readonly readOnly = false;
  nrBlocks: number;
  readonly #inner: BlockDevice;
  /** Blocks beyond are not the other device's any more. */
  #innerBlocks: number;
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(inner: BlockDevice) {
    this.#inner = inner;
    this.nrBlocks = inner.nrBlocks;
    this.#innerBlocks = inner.nrBlocks;
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    checkRun('read', begin, buffers, this.nrBlocks);
    let block = begin;
    for (const buffer of buffers) {
      for (let at = 0; at < buffer.length; at += METADATA_BLOCK_SIZE, block++) {
        const into = buffer.subarray(at, at + METADATA_BLOCK_SIZE);
        const own = this.#blocks.get(block);
        if (own !== undefined) into.set(own);
        else if (block < this.#innerBlocks) this.#inner.read(block, [into]);
        else into.fill(0);
      }
    }
  }

  write(begin: number, buffers: readonly Uint8Array[]): void {
    checkRun('write', begin, buffers, this.nrBlocks);
    let block = begin;
    for (const buffer of buffers) {
      for (let at = 0; at < buffer.length; at += METADATA_BLOCK_SIZE, block++) {
        this.#blocks.set(block, buffer.slice(at, at + METADATA_BLOCK_SIZE));
      }
    }
  }

  flush(): void {}

  resize(nrBlocks: number): void {
    for (const block of this.#blocks.keys()) if (block >= nrBlocks) this.#blocks.delete(block);
    this.#innerBlocks = Math.min(this.#innerBlocks, nrBlocks);
    this.nrBlocks = nrBlocks;
  }

  /** Leaves the other device open. */
  close(): void {}
}
