/** A flush that takes longer is worth another thread: what handing it over costs, some 0.1 ms, is a small part of it then. */
const SHORT_MS = 2;

/** What one transfer may leave to be flushed. */
const SHORT_BYTES = 64 * 1024;

/** So many flushes with one transfer each tell of somebody who waits for each of them. */
const NR_ALONE = 3;

/**
 * Tells when a flush is better waited for than handed to another thread: when it is short, and nobody was there lately but one who writes, flushes and waits, and so
 * would not be served meanwhile anyway. Two hand-overs from thread to thread cost such a one as much as the flush (`npm run bench -- nbd --only fua-d1`). Whoever
 * comes to a disk that is flushed so waits once for a flush, and ends it by having come.
 */
export class FlushHabit {
  #nrTransfers = 0;
  #length = 0;
  #nrAlone = 0;
  #lastMs = Number.POSITIVE_INFINITY;

  /** Bytes were read or written. */
  transfer(length: number): void {
    this.#nrTransfers += 1;
    this.#length = length;
  }

  /** A flush begins. Answers whether to wait for it. */
  begin(): boolean {
    const isAlone = this.#nrTransfers <= 1 && this.#length <= SHORT_BYTES;
    this.#nrTransfers = 0;
    this.#length = 0;
    this.#nrAlone = isAlone ? this.#nrAlone + 1 : 0;
    return this.#nrAlone > NR_ALONE && this.#lastMs <= SHORT_MS;
  }

  /** A flush has ended, after so many milliseconds. */
  end(ms: number): void {
    this.#lastMs = ms;
  }
}
