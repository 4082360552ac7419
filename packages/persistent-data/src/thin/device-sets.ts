import { assert } from '../base/index.ts';

/** The empty set. */
export const NO_DEVICES = 0;
const MEMO_FACTOR = 2 ** 26;

/**
 * Sets of thin devices, each known by a small number, so that a mark of 4 bytes on a block says who uses it. Devices are numbered 0 to n - 1; the set
 * of device i alone is i + 1.
 */
export class DeviceSets {
  readonly nrDevices: number;
  /** A set is this many words of bits. */
  readonly #nrWords: number;
  #bits: Uint32Array;
  #size: number;
  readonly #byBits = new Map<string, number>();
  readonly #unions = new Map<number, number>();

  constructor(nrDevices: number) {
    this.nrDevices = nrDevices;
    this.#nrWords = Math.max(1, Math.ceil(nrDevices / 32));
    this.#size = nrDevices + 1;
    this.#bits = new Uint32Array(this.#nrWords * (nrDevices + 1));
    for (let i = 0; i < nrDevices; i++) {
      this.#bits[(i + 1) * this.#nrWords + (i >>> 5)] = 1 << (i & 31);
      this.#byBits.set(this.#key(this.#bitsOf(i + 1)), i + 1);
    }
  }

  /** Sets known so far, the empty one included. */
  get size(): number {
    return this.#size;
  }

  /** The set of what is in either. */
  union(a: number, b: number): number {
    if (a === b || b === NO_DEVICES) return a;
    if (a === NO_DEVICES) return b;
    const memo = a < b ? a * MEMO_FACTOR + b : b * MEMO_FACTOR + a;
    const known = this.#unions.get(memo);
    if (known !== undefined) return known;
    const bits = this.#bitsOf(a).slice();
    this.#bitsOf(b).forEach((word, i) => {
      bits[i]! |= word;
    });
    const id = this.#idOf(bits);
    this.#unions.set(memo, id);
    return id;
  }

  has(set: number, device: number): boolean {
    return ((this.#bits[set * this.#nrWords + (device >>> 5)]! >>> (device & 31)) & 1) === 1;
  }

  /** The devices of a set, in order. */
  devicesOf(set: number): number[] {
    const found: number[] = [];
    for (let i = 0; i < this.nrDevices; i++) if (this.has(set, i)) found.push(i);
    return found;
  }

  /** The first device of a set that is not empty. */
  firstOf(set: number): number {
    if (set <= this.nrDevices) return set - 1;
    let device = 0;
    while (!this.has(set, device)) device++;
    return device;
  }

  /** Whether a set has no device but those of `other`. */
  isWithin(set: number, other: number): boolean {
    const bits = this.#bitsOf(set);
    const allowed = this.#bitsOf(other);
    return bits.every((word, i) => (word & ~allowed[i]!) === 0);
  }

  #idOf(bits: Uint32Array): number {
    const key = this.#key(bits);
    const known = this.#byBits.get(key);
    if (known !== undefined) return known;
    const id = this.#size++;
    assert(id < MEMO_FACTOR, 'sets of devices are numbered in 26 bits');
    if (this.#bits.length < this.#size * this.#nrWords) {
      const larger = new Uint32Array(2 * this.#bits.length + 64 * this.#nrWords);
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits.set(bits, id * this.#nrWords);
    this.#byBits.set(key, id);
    return id;
  }

  #bitsOf(set: number): Uint32Array {
    return this.#bits.subarray(set * this.#nrWords, (set + 1) * this.#nrWords);
  }

  #key(bits: Uint32Array): string {
    return bits.join();
  }
}
