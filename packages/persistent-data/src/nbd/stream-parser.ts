import { assert } from '../base/index.ts';

/** The longest fixed part of any message. */
const MAX_HEADER = 32;

/**
 * Cuts a stream of bytes, which may arrive in any pieces, into fixed parts (headers) and payloads. Those who speak a side of the
 * protocol extend it.
 *
 * - Parts that lie wholly in one piece are read where they are; a payload is copied at most once, into its final buffer.
 * - Each of {@link expect}, {@link fill}, {@link take} and {@link skip} says what comes next, and is called from the handlers.
 * - Memory: 32 bytes, and what the handlers hand over.
 */
export abstract class StreamParser {
  /** Bytes of the next fixed part. */
  #need = 0;
  /** The beginning of a fixed part that came in several pieces. */
  readonly #held = new Uint8Array(MAX_HEADER);
  #heldLength = 0;
  /** The payload that is being received; what of it is here. */
  #target: Uint8Array | undefined;
  #filled = 0;
  /** Set by {@link take}: bytes of the payload that is wanted, -1 when there is none. */
  #wanted = -1;
  #allocate: ((length: number) => Uint8Array) | undefined;
  /** Bytes to be dropped. */
  #toSkip = 0;
  #halted = false;
  #nrHeaders = 0;

  /**
   * A fixed part is complete. Valid during the call.
   *
   * @returns Whether it was used. False shows the same part again: longer, when {@link expect} was called with a greater length;
   *   or after {@link halt}, when there is no room for what it asks for.
   */
  protected abstract onHeader(bytes: Uint8Array, at: number): boolean;

  /** A payload is complete. `copied` says whether it lies in the buffer that {@link fill} or {@link take} were given. */
  protected abstract onPayload(payload: Uint8Array, copied: boolean): void;

  /** A fixed part of `length` bytes comes next. */
  protected expect(length: number): void {
    assert(length > 0 && length <= MAX_HEADER, 'a fixed part has 1 to 32 bytes');
    this.#need = length;
  }

  /** A payload comes next, before the following fixed part, and is copied into `target`. */
  protected fill(target: Uint8Array): void {
    this.#target = target;
    this.#filled = 0;
  }

  /**
   * A payload of `length` bytes comes next. It is not copied when it lies wholly in the piece at hand; otherwise `allocate` gives
   * the buffer for it, of that length.
   */
  protected take(length: number, allocate: (length: number) => Uint8Array): void {
    this.#wanted = length;
    this.#allocate = allocate;
  }

  /** `length` bytes come next that nobody wants. May be more than any memory. */
  protected skip(length: number): void {
    this.#toSkip = length;
  }

  /** Ends {@link feed} after the handler that runs now. */
  protected halt(): void {
    this.#halted = true;
  }

  /** Lets {@link feed} go on. */
  protected proceed(): void {
    this.#halted = false;
  }

  /** Whether {@link feed} takes nothing for now. */
  get isHalted(): boolean {
    return this.#halted;
  }

  /** Fixed parts so far; tells one message from the next. */
  get nrHeaders(): number {
    return this.#nrHeaders;
  }

  /** Whether a message has begun to arrive and is not complete. */
  get isInsideMessage(): boolean {
    return this.#heldLength > 0 || this.#target !== undefined || this.#toSkip > 0;
  }

  /** Where the next bytes of the stream belong, when they are part of a payload: who receives them there saves a copy. */
  get nextTarget(): Uint8Array | undefined {
    return this.#target?.subarray(this.#filled);
  }

  /**
   * Parses the next piece of the stream. Payloads may be views of it.
   *
   * @returns How many of its bytes were used: fewer than it has after {@link halt}. The rest is to be given again.
   */
  feed(piece: Uint8Array): number {
    const end = piece.byteLength;
    let at = 0;
    for (;;) {
      if (this.#halted) return at;
      if (this.#wanted >= 0) at = this.#begin(piece, at);
      else if (this.#target !== undefined) {
        at = this.#continue(piece, at);
        if (this.#target !== undefined) return at;
      } else if (this.#toSkip > 0) {
        const count = Math.min(this.#toSkip, end - at);
        this.#toSkip -= count;
        at += count;
        if (this.#toSkip > 0) return at;
      } else if (this.#heldLength === 0 && end - at >= this.#need) {
        const need = this.#need;
        if (this.#show(piece, at)) at += need;
      } else {
        if (at === end && (this.#heldLength === 0 || this.#heldLength < this.#need)) return at;
        at = this.#hold(piece, at);
      }
    }
  }

  /** Begins a payload that was asked for with {@link take}. */
  #begin(piece: Uint8Array, at: number): number {
    const length = this.#wanted;
    this.#wanted = -1;
    if (piece.byteLength - at >= length) {
      this.onPayload(piece.subarray(at, at + length), false);
      return at + length;
    }
    this.fill(this.#allocate!(length));
    return at;
  }

  /** Copies what there is of the payload. */
  #continue(piece: Uint8Array, at: number): number {
    const target = this.#target!;
    const count = Math.min(target.byteLength - this.#filled, piece.byteLength - at);
    // What was received straight into its place is there already.
    const isThere = piece.buffer === target.buffer && piece.byteOffset + at === target.byteOffset + this.#filled;
    if (!isThere) target.set(piece.subarray(at, at + count), this.#filled);
    this.#filled += count;
    if (this.#filled === target.byteLength) {
      this.#target = undefined;
      this.onPayload(target, true);
    }
    return at + count;
  }

  /** Keeps the beginning of a fixed part until it is complete. */
  #hold(piece: Uint8Array, at: number): number {
    const count = Math.min(this.#need - this.#heldLength, piece.byteLength - at);
    this.#held.set(piece.subarray(at, at + count), this.#heldLength);
    this.#heldLength += count;
    if (this.#heldLength === this.#need) {
      const length = this.#heldLength;
      this.#heldLength = 0;
      if (!this.#show(this.#held, 0)) this.#heldLength = length;
    }
    return at + count;
  }

  #show(bytes: Uint8Array, at: number): boolean {
    const isUsed = this.onHeader(bytes, at);
    if (isUsed) this.#nrHeaders += 1;
    return isUsed;
  }
}
