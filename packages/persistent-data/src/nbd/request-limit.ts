/** Bounds requests under way, by number and bytes; who comes when it is full waits in line. */
export class RequestLimit {
  readonly #maxRequests: number;
  readonly #maxBytes: number;
  #nrRequests = 0;
  #nrBytes = 0;
  readonly #line: { readonly bytes: number; readonly enter: () => void }[] = [];

  constructor(maxRequests: number, maxBytes: number) {
    this.#maxRequests = maxRequests;
    this.#maxBytes = maxBytes;
  }

  /** Waits for a place. A request of more bytes than there may ever be goes alone. */
  enter(bytes: number): Promise<void> | undefined {
    if (this.#line.length === 0 && this.#hasRoom(bytes)) {
      this.#take(bytes);
      return undefined;
    }
    return new Promise((enter) => this.#line.push({ bytes, enter }));
  }

  leave(bytes: number): void {
    this.#nrRequests -= 1;
    this.#nrBytes -= bytes;
    while (this.#line.length > 0 && this.#hasRoom(this.#line[0]!.bytes)) {
      const next = this.#line.shift()!;
      this.#take(next.bytes);
      next.enter();
    }
  }

  #hasRoom(bytes: number): boolean {
    return this.#nrRequests < this.#maxRequests && (this.#nrRequests === 0 || this.#nrBytes + bytes <= this.#maxBytes);
  }

  #take(bytes: number): void {
    this.#nrRequests += 1;
    this.#nrBytes += bytes;
  }
}
