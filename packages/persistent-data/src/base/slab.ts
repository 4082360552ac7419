import { assert } from './assert.ts';

/**
 * A piece of memory, seen in three ways at once. The block manager has one for all cached blocks; views and value types read
 * and write their fields in it, in place.
 */
export class Slab {
  /** The memory as bytes; a *byte offset* in this library is an index into it. */
  readonly bytes: Uint8Array;
  /** The same memory as little-endian 32-bit words; a *word offset* is an index into it (byte offset / 4). */
  readonly words: Uint32Array;
  /** The same memory for unaligned and odd-sized fields. Offsets in bytes; pass `true` for little-endian. */
  readonly view: DataView;

  /** @param buffer - Its length is a multiple of 4 bytes. */
  constructor(buffer: ArrayBuffer) {
    assert(buffer.byteLength % 4 === 0, 'a slab is made of whole words');
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.view = new DataView(buffer);
  }

  /** Makes a zeroed slab of `byteLength` bytes, a multiple of 4. The system hands out its pages when they are first touched. */
  static ofSize(byteLength: number): Slab {
    return new Slab(new ArrayBuffer(byteLength));
  }
}
