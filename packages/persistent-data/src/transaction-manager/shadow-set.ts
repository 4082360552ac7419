/**
 * The blocks that were allocated or copied in the running transaction: two bits per block, and a list to clear them by. The second bit says
 * that nobody has added a reference to the block since, so that its count is known to be one without a look into the space map.
 */
export class ShadowSet {
  #members = new Uint32Array(1024);
  #owned = new Uint32Array(1024);
  readonly #list: number[] = [];

  has(b: number): boolean {
    // Beyond the end of the array there is `undefined`, which counts as no bit.
    return (this.#members[b >>> 5]! & (1 << (b & 31))) !== 0;
  }

  /** Whether the block is in the set and has one reference, as far as that is known without asking. */
  isOwned(b: number): boolean {
    return (this.#owned[b >>> 5]! & (1 << (b & 31))) !== 0;
  }

  add(b: number): void {
    const word = b >>> 5;
    if (word >= this.#members.length) this.#grow(word + 1);
    const bit = 1 << (b & 31);
    if ((this.#members[word]! & bit) === 0) this.#list.push(b);
    this.#members[word]! |= bit;
    this.#owned[word]! |= bit;
  }

  /** Notes that somebody added a reference to each block of the half-open range. */
  share(begin: number, end: number): void {
    const last = Math.min(end, this.#owned.length * 32);
    for (let b = begin; b < last; b++) this.#owned[b >>> 5]! &= ~(1 << (b & 31));
  }

  /** Blocks in the set. */
  get size(): number {
    return this.#list.length;
  }

  clear(): void {
    for (const b of this.#list) {
      this.#members[b >>> 5] = 0;
      this.#owned[b >>> 5] = 0;
    }
    this.#list.length = 0;
  }

  #grow(words: number): void {
    const length = Math.max(words, 2 * this.#members.length);
    this.#members = copied(this.#members, length);
    this.#owned = copied(this.#owned, length);
  }
}

function copied(from: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const longer = new Uint32Array(length);
  longer.set(from);
  return longer;
}
