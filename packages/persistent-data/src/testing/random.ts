/**
 * Random numbers from a seed: the same seed gives the same numbers, on every platform and in every version of this package.
 *
 * The generator is xoshiro128** (Blackman and Vigna, public domain). Its state is filled from the seed by a SplitMix generator of
 * 32 bits with the finaliser of MurmurHash3. Good enough for tests; useless for secrets.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @param seed - Any integer; its low 32 bits count. */
  constructor(seed: number) {
    const mix = splitMix32(seed);
    this.#a = mix();
    this.#b = mix();
    this.#c = mix();
    this.#d = mix();
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = rotateLeft(this.#d, 11);
    return result;
  }

  /** A number from 0 (included) to 1 (excluded), a multiple of 2^-32. */
  float(): number {
    return this.uint32() / 2 ** 32;
  }

  /** A whole number from 0 to `end` - 1. `end` is 1 to 2^32. */
  below(end: number): number {
    return Math.floor(this.float() * end);
  }

  /** A whole number from `begin` to `end` - 1. */
  between(begin: number, end: number): number {
    return begin + this.below(end - begin);
  }

  /** True with this probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.float() < probability;
  }

  /** One of `items`, which is not empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** The items in another order, as a new array. */
  shuffled<T>(items: readonly T[]): T[] {
    const result = items.slice();
    for (let i = result.length - 1; i > 0; --i) {
      const j = this.below(i + 1);
      [result[i], result[j]] = [result[j] as T, result[i] as T];
    }
    return result;
  }

  /** So many random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const result = new Uint8Array(length);
    for (let i = 0; i < length; ++i) result[i] = this.uint32() >>> 24;
    return result;
  }

  /** A generator of its own, so that what one part of a test draws does not change what another part gets. */
  fork(): Random {
    return new Random(this.uint32());
  }
}

function rotateLeft(word: number, count: number): number {
  return (word << count) | (word >>> (32 - count));
}

function splitMix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
}
