import { BLOCK_SIZE, type BlockDevice } from '../io/index.ts';
import { type ByteRange, checkBytes, type DataDevice, zeroBuffers } from './data-device.ts';

/** The most zeros that are written in advance. */
const MAX_CLEARED_BYTES = 256 * 1024;

/** How a {@link BlockData} uses its device. */
export interface BlockDataOptions {
  /** Closes the device with itself. Default: false. */
  readonly ownsInner?: boolean;
  /**
   * What takes the place of punching holes: `zero` writes zeros, `discard` tells the device where it can be told (then anything may be read
   * there), `none`. Default: `discard`.
   */
  readonly holes?: 'zero' | 'discard' | 'none';
}

/**
 * A block device as a data device. What is not a whole 4096-byte block is read first and written back with the change, so that simulated disks
 * (`CrashDevice`, `FaultDevice`) can stand under a pool.
 */
export class BlockData implements DataDevice {
  readonly flushAsync?: () => Promise<void>;
  readonly resize?: (sizeBytes: number) => void;
  readonly canPunchHoles: boolean;
  zeroFrom: number;
  readonly #inner: BlockDevice;
  readonly #options: BlockDataOptions;
  readonly #scratch = new Uint8Array(BLOCK_SIZE);

  constructor(inner: BlockDevice, options: BlockDataOptions = {}) {
    this.#inner = inner;
    this.#options = options;
    const holes = options.holes ?? 'discard';
    this.canPunchHoles = !inner.readOnly && (holes === 'zero' || (holes === 'discard' && inner.discard !== undefined));
    // What is there now may hold anything; what is added later reads as zeros.
    this.zeroFrom = inner.nrBlocks * BLOCK_SIZE;
    if (inner.flushAsync) this.flushAsync = () => inner.flushAsync!();
    if (inner.resize) this.resize = (sizeBytes) => inner.resize!(Math.floor(sizeBytes / BLOCK_SIZE));
  }

  get readOnly(): boolean {
    return this.#inner.readOnly;
  }

  get sizeBytes(): number {
    return this.#inner.nrBlocks * BLOCK_SIZE;
  }

  read(offset: number, into: Uint8Array): void {
    checkBytes('read', offset, into.length, this.sizeBytes);
    for (let done = 0; done < into.length; ) {
      const block = Math.floor((offset + done) / BLOCK_SIZE);
      const within = offset + done - block * BLOCK_SIZE;
      const rest = into.length - done;
      if (within === 0 && rest >= BLOCK_SIZE) {
        const whole = rest - (rest % BLOCK_SIZE);
        this.#inner.read(block, [into.subarray(done, done + whole)]);
        done += whole;
        continue;
      }
      const part = Math.min(BLOCK_SIZE - within, rest);
      this.#inner.read(block, [this.#scratch]);
      into.set(this.#scratch.subarray(within, within + part), done);
      done += part;
    }
  }

  write(offset: number, from: Uint8Array): void {
    checkBytes('write', offset, from.length, this.sizeBytes);
    this.zeroFrom = Math.max(this.zeroFrom, offset + from.length);
    for (let done = 0; done < from.length; ) {
      const block = Math.floor((offset + done) / BLOCK_SIZE);
      const within = offset + done - block * BLOCK_SIZE;
      const rest = from.length - done;
      if (within === 0 && rest >= BLOCK_SIZE) {
        const whole = rest - (rest % BLOCK_SIZE);
        this.#inner.write(block, [from.subarray(done, done + whole)]);
        done += whole;
        continue;
      }
      const part = Math.min(BLOCK_SIZE - within, rest);
      this.#inner.read(block, [this.#scratch]);
      this.#scratch.set(from.subarray(done, done + part), within);
      this.#inner.write(block, [this.#scratch]);
      done += part;
    }
  }

  writeVectored(offset: number, from: readonly Uint8Array[]): void {
    const isWhole = offset % BLOCK_SIZE === 0 && from.every((buffer) => buffer.length % BLOCK_SIZE === 0);
    if (isWhole) {
      const length = from.reduce((sum, buffer) => sum + buffer.length, 0);
      this.zeroFrom = Math.max(this.zeroFrom, offset + length);
      this.#inner.write(offset / BLOCK_SIZE, from);
      return;
    }
    let at = offset;
    for (const buffer of from) {
      this.write(at, buffer);
      at += buffer.length;
    }
  }

  flush(): void {
    this.#inner.flush();
  }

  punchHoles(ranges: readonly ByteRange[]): boolean {
    const isZeroed = this.#options.holes === 'zero';
    for (const { offset, length } of ranges) {
      if (isZeroed) this.writeVectored(offset, zeroBuffers(length));
      else this.#inner.discard?.(offset / BLOCK_SIZE, length / BLOCK_SIZE);
    }
    return isZeroed;
  }

  clear(offset: number, length: number): number {
    if (this.#options.holes !== 'zero') return 0;
    const cleared = Math.min(length, MAX_CLEARED_BYTES);
    this.writeVectored(offset, zeroBuffers(cleared));
    return cleared;
  }

  close(): void {
    if (this.#options.ownsInner) this.#inner.close();
  }
}
