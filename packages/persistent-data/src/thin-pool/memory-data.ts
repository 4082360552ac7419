import { StateError } from '../base/index.ts';
import { type ByteRange, checkBytes, checkDataWritable, type DataDevice } from './data-device.ts';

const PAGE_BYTES = 64 * 1024;

/** A data device in memory, for tests and for pools that are thrown away. What was never written takes no memory. */
export class MemoryData implements DataDevice {
  readonly readOnly = false;
  zeroFrom = 0;
  readonly canPunchHoles = true;
  isClosed = false;
  #sizeBytes: number;
  readonly #pages = new Map<number, Uint8Array>();

  constructor({ sizeBytes }: { readonly sizeBytes: number }) {
    this.#sizeBytes = sizeBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Bytes of memory that hold data. */
  get usedBytes(): number {
    return this.#pages.size * PAGE_BYTES;
  }

  read(offset: number, into: Uint8Array): void {
    if (this.isClosed) throw new StateError('Cannot read: the data device is closed');
    checkBytes('read', offset, into.length, this.#sizeBytes);
    this.#eachPart(offset, into.length, (page, within, at, length) => {
      const bytes = this.#pages.get(page);
      if (bytes === undefined) into.fill(0, at, at + length);
      else into.set(bytes.subarray(within, within + length), at);
    });
  }

  write(offset: number, from: Uint8Array): void {
    checkDataWritable('write', this);
    checkBytes('write', offset, from.length, this.#sizeBytes);
    this.zeroFrom = Math.max(this.zeroFrom, offset + from.length);
    this.#eachPart(offset, from.length, (page, within, at, length) => {
      let bytes = this.#pages.get(page);
      if (bytes === undefined) {
        bytes = new Uint8Array(PAGE_BYTES);
        this.#pages.set(page, bytes);
      }
      bytes.set(from.subarray(at, at + length), within);
    });
  }

  writeVectored(offset: number, from: readonly Uint8Array[]): void {
    let at = offset;
    for (const buffer of from) {
      this.write(at, buffer);
      at += buffer.length;
    }
  }

  flush(): void {
    if (this.isClosed) throw new StateError('Cannot flush: the data device is closed');
  }

  resize(sizeBytes: number): void {
    checkDataWritable('resize', this);
    if (sizeBytes < this.#sizeBytes) throw new RangeError('Cannot make the data device smaller');
    this.#sizeBytes = sizeBytes;
  }

  punchHoles(ranges: readonly ByteRange[]): boolean {
    checkDataWritable('punch holes', this);
    for (const { offset, length } of ranges) {
      checkBytes('punch a hole of', offset, length, this.#sizeBytes);
      this.#eachPart(offset, length, (page, within, _, part) => {
        if (part === PAGE_BYTES) this.#pages.delete(page);
        else this.#pages.get(page)?.fill(0, within, within + part);
      });
    }
    return true;
  }

  clear(offset: number, length: number): number {
    this.punchHoles([{ offset, length }]);
    return length;
  }

  close(): void {
    this.isClosed = true;
  }

  /** Opens the same memory again after {@link close}. */
  reopen(): void {
    this.isClosed = false;
  }

  #eachPart(
    offset: number,
    length: number,
    visit: (page: number, within: number, at: number, length: number) => void,
  ): void {
    for (let at = 0; at < length; ) {
      const page = Math.floor((offset + at) / PAGE_BYTES);
      const within = offset + at - page * PAGE_BYTES;
      const part = Math.min(PAGE_BYTES - within, length - at);
      visit(page, within, at, part);
      at += part;
    }
  }
}
