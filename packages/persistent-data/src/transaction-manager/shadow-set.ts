/** The blocks that were allocated or copied in the running transaction: a bit per block, and a list to clear them by. */
export class ShadowSet {
  #bits = new Uint32Array(1024);
  readonly #members: number[] = [];

  has(b: number): boolean {
    const word = b >>> 5;
    return word < this.#bits.length && (this.#bits[word]! & (1 << (b & 31))) !== 0;
  }

  add(b: number): void {
    if (this.has(b)) return;
    const word = b >>> 5;
    if (word >= this.#bits.length) {
      const longer = new Uint32Array(Math.max(word + 1, 2 * this.#bits.length));
      longer.set(this.#bits);
      this.#bits = longer;
    }
    this.#bits[word]! |= 1 << (b & 31);
    this.#members.push(b);
  }

  /** Blocks in the set. */
  get size(): number {
    return this.#members.length;
  }

  clear(): void {
    for (const b of this.#members) this.#bits[b >>> 5] = 0;
    this.#members.length = 0;
  }
}
