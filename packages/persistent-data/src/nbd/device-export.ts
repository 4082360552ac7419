import { BLOCK_SIZE, type BlockDevice } from '../io/index.ts';
import type { Answer, NbdBlockSize, NbdExport, WriteZeroesOptions } from './export.ts';
import { NbdError } from './nbd-error.ts';

/** Zeroes are written in runs of this many bytes. */
const ZERO_BYTES = 256 * 1024;

export interface DeviceExportOptions {
  /** Default: whether the device is. */
  readonly readOnly?: boolean;
  /** For people, in lists of exports. */
  readonly description?: string;
  /** Default: 1, 4096, 32 MiB. */
  readonly blockSize?: NbdBlockSize;
}

/**
 * A block device as an export, at any byte: what does not fill a block is read, changed and written back. The device is synchronous, so that
 * no two requests can meet inside one block. Flushes off the main thread where the device can.
 *
 * The device is borrowed; its length is asked for once.
 */
export function deviceExport(device: BlockDevice, options: DeviceExportOptions = {}): NbdExport {
  return new DeviceExport(device, options);
}

class DeviceExport implements NbdExport {
  readonly size: number;
  readonly readOnly: boolean;
  readonly description?: string;
  readonly blockSize?: NbdBlockSize;
  /** Absent where the device has no discard. */
  readonly trim?: (offset: number, length: number) => void;
  readonly #device: BlockDevice;
  /** A block that is read, changed and written back. */
  readonly #block = new Uint8Array(BLOCK_SIZE);
  #zeroes: Uint8Array | undefined;

  constructor(device: BlockDevice, options: DeviceExportOptions) {
    this.#device = device;
    this.size = device.nrBlocks * BLOCK_SIZE;
    this.readOnly = options.readOnly ?? device.readOnly;
    if (options.description !== undefined) this.description = options.description;
    if (options.blockSize !== undefined) this.blockSize = options.blockSize;
    if (device.discard !== undefined) this.trim = (offset, length) => this.#trim(offset, length);
  }

  read(offset: number, into: Uint8Array): void {
    this.#eachRun(offset, into, (begin, run) => this.#device.read(begin, [run]), this.#readPart);
  }

  write(offset: number, data: Uint8Array): void {
    this.#eachRun(offset, data, (begin, run) => this.#device.write(begin, [run]), this.#writePart);
  }

  flush(): Answer {
    if (this.#device.flushAsync !== undefined) return this.#device.flushAsync();
    this.#device.flush();
  }

  writeZeroes(offset: number, length: number, { fast }: WriteZeroesOptions): void {
    if (fast) throw new NbdError('ENOTSUP', 'zeroes have to be written to this device');
    this.#zeroes ??= new Uint8Array(ZERO_BYTES);
    for (let at = 0; at < length; at += ZERO_BYTES) {
      this.write(offset + at, this.#zeroes.subarray(0, Math.min(ZERO_BYTES, length - at)));
    }
  }

  /** Only blocks that lie wholly inside are discarded. */
  #trim(offset: number, length: number): void {
    const begin = Math.ceil(offset / BLOCK_SIZE);
    const end = Math.floor((offset + length) / BLOCK_SIZE);
    if (end > begin) this.#device.discard!(begin, end - begin);
  }

  readonly #readPart = (block: number, at: number, bytes: Uint8Array): void => {
    this.#device.read(block, [this.#block]);
    bytes.set(this.#block.subarray(at, at + bytes.byteLength));
  };

  readonly #writePart = (block: number, at: number, bytes: Uint8Array): void => {
    this.#device.read(block, [this.#block]);
    this.#block.set(bytes, at);
    this.#device.write(block, [this.#block]);
  };

  /** Cuts a range into whole blocks in the middle, and parts of blocks at its ends. */
  #eachRun(
    offset: number,
    bytes: Uint8Array,
    whole: (begin: number, run: Uint8Array) => void,
    part: (block: number, at: number, bytes: Uint8Array) => void,
  ): void {
    const length = bytes.byteLength;
    let done = 0;
    while (done < length) {
      const block = Math.floor((offset + done) / BLOCK_SIZE);
      const at = (offset + done) % BLOCK_SIZE;
      const left = length - done;
      if (at === 0 && left >= BLOCK_SIZE) {
        const run = left - (left % BLOCK_SIZE);
        whole(block, bytes.subarray(done, done + run));
        done += run;
      } else {
        const count = Math.min(left, BLOCK_SIZE - at);
        part(block, at, bytes.subarray(done, done + count));
        done += count;
      }
    }
  }
}
