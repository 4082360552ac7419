import { BLOCK_SIZE, type BlockDevice } from './block-device.ts';
import { checkLength, checkOpen, checkRange, checkRun } from './block-run.ts';

/** Blocks per piece of memory. Large enough to keep the table short, small enough that the copy after a fork is cheap. */
const PIECE_BLOCKS = 16;
const PIECE_BYTES = PIECE_BLOCKS * BLOCK_SIZE;

/** A piece, and the device that may write into it; others that have it copy it first. */
interface Piece {
  readonly bytes: Uint8Array;
  owner: MemoryDevice | undefined;
}

/**
 * A device in memory. Blocks that were never written take no memory (in pieces of 16), and a {@link fork} shares what it does
 * not change, so a large empty device and many near-copies of one device are both cheap.
 */
export class MemoryDevice implements BlockDevice {
  readonly readOnly = false;
  #nrBlocks: number;
  /** Pieces by block number / 16; an absent one is all zeros. What lies beyond the last block is zero in every piece. */
  #pieces = new Map<number, Piece>();
  #closed = false;

  /**
   * Makes a device of zeros.
   *
   * @param options.nrBlocks - Length in 4096-byte blocks.
   * @throws {RangeError} when that is no possible length.
   */
  constructor({ nrBlocks }: { readonly nrBlocks: number }) {
    checkLength(nrBlocks);
    this.#nrBlocks = nrBlocks;
  }

  /** Makes a device that holds a copy of `bytes`. A tail that fills no block is left out. O(bytes). */
  static from(bytes: Uint8Array): MemoryDevice {
    const device = new MemoryDevice({ nrBlocks: Math.floor(bytes.byteLength / BLOCK_SIZE) });
    device.write(0, [bytes.subarray(0, device.nrBlocks * BLOCK_SIZE)]);
    return device;
  }

  get nrBlocks(): number {
    return this.#nrBlocks;
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    checkOpen(this.#closed, 'read');
    checkRun('read', begin, buffers, this.#nrBlocks);
    let block = begin;
    for (const buffer of buffers) {
      for (let at = 0; at < buffer.byteLength; at += BLOCK_SIZE, block += 1) {
        const piece = this.#pieces.get(Math.floor(block / PIECE_BLOCKS));
        const from = (block % PIECE_BLOCKS) * BLOCK_SIZE;
        if (piece === undefined) buffer.fill(0, at, at + BLOCK_SIZE);
        else buffer.set(piece.bytes.subarray(from, from + BLOCK_SIZE), at);
      }
    }
  }

  write(begin: number, buffers: readonly Uint8Array[]): void {
    checkOpen(this.#closed, 'write');
    checkRun('write', begin, buffers, this.#nrBlocks);
    let block = begin;
    for (const buffer of buffers) {
      for (let at = 0; at < buffer.byteLength; at += BLOCK_SIZE, block += 1) {
        const piece = this.#writablePiece(Math.floor(block / PIECE_BLOCKS));
        piece.set(buffer.subarray(at, at + BLOCK_SIZE), (block % PIECE_BLOCKS) * BLOCK_SIZE);
      }
    }
  }

  /** Does nothing: memory is as durable as it gets. */
  flush(): void {
    checkOpen(this.#closed, 'flush');
  }

  async flushAsync(): Promise<void> {
    this.flush();
  }

  /** Growing: O(1). Shrinking: O(length / 16) at most. */
  resize(nrBlocks: number): void {
    checkOpen(this.#closed, 'resize');
    checkLength(nrBlocks);
    if (nrBlocks < this.#nrBlocks) {
      const end = Math.ceil(nrBlocks / PIECE_BLOCKS);
      for (const index of this.#pieces.keys()) if (index >= end) this.#pieces.delete(index);
      const used = nrBlocks % PIECE_BLOCKS;
      if (used > 0 && this.#pieces.has(end - 1)) this.#writablePiece(end - 1).fill(0, used * BLOCK_SIZE);
    }
    this.#nrBlocks = nrBlocks;
  }

  /** Gives the memory of whole pieces back; their blocks read as zeros, the others as before. */
  discard(begin: number, count: number): void {
    checkOpen(this.#closed, 'discard');
    checkRange('discard', begin, count, this.#nrBlocks);
    const first = Math.ceil(begin / PIECE_BLOCKS);
    const end = Math.floor((begin + count) / PIECE_BLOCKS);
    if (end - first <= this.#pieces.size) for (let index = first; index < end; ++index) this.#pieces.delete(index);
    else for (const index of this.#pieces.keys()) if (index >= first && index < end) this.#pieces.delete(index);
  }

  /** Ends reading and writing. The content stays for {@link toBytes} and {@link fork}, as a disk's does. */
  close(): void {
    this.#closed = true;
  }

  /** A copy of the whole content, also after {@link close}. O(length). */
  toBytes(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#nrBlocks * BLOCK_SIZE);
    for (const [index, piece] of this.#pieces) {
      const begin = index * PIECE_BYTES;
      bytes.set(piece.bytes.subarray(0, bytes.byteLength - begin), begin);
    }
    return bytes;
  }

  /**
   * A second, open device with the same content, independent from now on. Also after {@link close}: then it is the same disk,
   * opened again. O(pieces in use); the first write of either to a piece of 16 blocks copies that piece.
   */
  fork(): MemoryDevice {
    const other = new MemoryDevice({ nrBlocks: this.#nrBlocks });
    for (const piece of this.#pieces.values()) piece.owner = undefined;
    other.#pieces = new Map(this.#pieces);
    return other;
  }

  #writablePiece(index: number): Uint8Array {
    const found = this.#pieces.get(index);
    if (found !== undefined && found.owner === this) return found.bytes;
    const bytes = found === undefined ? new Uint8Array(PIECE_BYTES) : found.bytes.slice();
    this.#pieces.set(index, { bytes, owner: this });
    return bytes;
  }
}
