/** Knows what a disk should have answered, and so when it lied. */

import { ARRAY_HEADER, blockChecksum, metadataBlockKind, SALT, WORDS_PER_BLOCK } from 'persistent-data/format';
import { BLOCK_SIZE, type BlockDevice, type MemoryDevice } from 'persistent-data/io';

/**
 * A device before another one that may lie. Keeps a second copy of all that is written, compares what is read with it, and tells lies that a
 * reader could have seen through from those that are *credible*: an intact block of metadata that was written for this very place, only earlier.
 */
export class Witness implements BlockDevice {
  /** What the disk should hold. */
  readonly truth: MemoryDevice;
  /** Blocks that were read and were not what was last written there. */
  nrLies = 0;
  /** Those of them that are intact and in their place. */
  nrCredible = 0;
  readonly resize: (nrBlocks: number) => void;
  readonly flushAsync: () => Promise<void>;
  readonly #inner: BlockDevice;

  /** @param truth - Holds what `inner` holds. It is changed. */
  constructor(inner: BlockDevice, truth: MemoryDevice) {
    this.#inner = inner;
    this.truth = truth;
    this.resize = (nrBlocks) => {
      inner.resize?.(nrBlocks);
      truth.resize(nrBlocks);
    };
    this.flushAsync = async () => {
      await (inner.flushAsync?.() ?? inner.flush());
    };
  }

  get nrBlocks(): number {
    return this.#inner.nrBlocks;
  }

  get readOnly(): boolean {
    return this.#inner.readOnly;
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    this.#inner.read(begin, buffers);
    const wanted = new Uint8Array(BLOCK_SIZE);
    let block = begin;
    for (const buffer of buffers) {
      for (let at = 0; at < buffer.byteLength; at += BLOCK_SIZE, block += 1) {
        const found = buffer.subarray(at, at + BLOCK_SIZE);
        this.truth.read(block, [wanted]);
        if (Buffer.compare(found, wanted) === 0) continue;
        this.nrLies += 1;
        if (isInPlace(block, found)) this.nrCredible += 1;
      }
    }
  }

  write(begin: number, buffers: readonly Uint8Array[]): void {
    this.#inner.write(begin, buffers);
    this.truth.write(begin, buffers);
  }

  flush(): void {
    this.#inner.flush();
  }

  close(): void {
    // The disk is looked at afterwards.
  }
}

/** Whether a block is intact metadata and says that it belongs where it is. A journal's blocks do not say so in themselves, and are not counted. */
function isInPlace(block: number, bytes: Uint8Array): boolean {
  const words = new Uint32Array(bytes.slice().buffer, 0, WORDS_PER_BLOCK);
  const isStoreSuperblock = blockChecksum(words, 0, SALT.storeSuperblock) === words[0];
  const kind = isStoreSuperblock ? 'storeSuperblock' : metadataBlockKind(words, 0);
  if (kind === undefined) return false;
  return words[kind === 'arrayBlock' ? ARRAY_HEADER.word('blocknr') : 2] === block;
}
