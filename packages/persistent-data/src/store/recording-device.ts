import { METADATA_BLOCK_SIZE } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';

/**
 * What a Store's block manager writes through: passes everything on, and notes of each block written its first word, which is its checksum.
 * From these notes a checkpoint makes its proof. At most `limit` blocks are noted; beyond, {@link written} is of no use.
 */
export class RecordingDevice implements BlockDevice {
  /** Blocks written since {@link clear}, with the first word of what was written last. `undefined` when there were too many. */
  written: Map<number, number> | undefined = new Map();
  readonly resize?: (nrBlocks: number) => void;
  readonly flushAsync?: () => Promise<void>;
  readonly #inner: BlockDevice;
  readonly #limit: number;

  constructor(inner: BlockDevice, limit: number) {
    this.#inner = inner;
    this.#limit = limit;
    if (inner.resize !== undefined) this.resize = (nrBlocks) => inner.resize!(nrBlocks);
    if (inner.flushAsync !== undefined) this.flushAsync = () => inner.flushAsync!();
  }

  get nrBlocks(): number {
    return this.#inner.nrBlocks;
  }

  get readOnly(): boolean {
    return this.#inner.readOnly;
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    this.#inner.read(begin, buffers);
  }

  write(begin: number, buffers: readonly Uint8Array[]): void {
    this.#inner.write(begin, buffers);
    if (this.written === undefined) return;
    let block = begin;
    for (const buffer of buffers) {
      for (let at = 0; at < buffer.length; at += METADATA_BLOCK_SIZE) {
        const word = buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 24);
        this.written.set(block++, word >>> 0);
      }
    }
    if (this.written.size > this.#limit) this.written = undefined;
  }

  flush(): void {
    this.#inner.flush();
  }

  /** Forgets what was written. */
  clear(): void {
    this.written = new Map();
  }

  close(): void {}
}
