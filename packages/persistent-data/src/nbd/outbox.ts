import { assert } from '../base/index.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { BudgetShare } from './memory-budget.ts';

/** Bytes of a slab, in which short replies are laid one after the other. */
const SLAB_BYTES = 256 * 1024;

/** Replies up to this many bytes are laid into slabs. */
export const SMALL_BYTES = 64 * 1024;

/** A piece of memory with replies in it. Goes back to the pool when nobody uses it. */
interface Slab {
  readonly bytes: Uint8Array;
  users: number;
}

/** Room in a slab for a reply that is not complete yet. */
export interface Region {
  readonly slab: Slab;
  readonly at: number;
  readonly length: number;
}

/**
 * Gathers the replies of a connection and sends them in few pieces: short ones lie in a slab, one behind the other, long payloads are sent
 * from where they are. All memory it has is in the connection's share of the budget until it was sent.
 */
export class Outbox {
  readonly #pool: BufferPool;
  readonly #share: BudgetShare;
  readonly #send: (parts: readonly Uint8Array[], onSent: () => void) => void;
  #slab: Slab | undefined;
  /** What of the slab is ready and not yet among the parts, and where it ends. */
  #from = 0;
  #to = 0;
  #parts: Uint8Array[] = [];
  /** Slabs and payload buffers that the parts lie in. */
  #partSlabs: Slab[] = [];
  #partBuffers: Uint8Array[] = [];
  /** Bytes in the parts and the slab's ready piece, and in pieces that are being sent. */
  #readyBytes = 0;
  #sendingBytes = 0;
  #nrSending = 0;
  #isClosed = false;

  /** @param send - Sends parts in order, and calls `onSent` when they have left this process. */
  constructor(pool: BufferPool, share: BudgetShare, send: (parts: readonly Uint8Array[], onSent: () => void) => void) {
    this.#pool = pool;
    this.#share = share;
    this.#send = send;
  }

  /** Bytes that wait to leave. */
  get waitingBytes(): number {
    return this.#readyBytes + this.#sendingBytes;
  }

  /** Whether something was handed over to be sent and has not left. */
  get isSending(): boolean {
    return this.#nrSending > 0;
  }

  /** The memory in which {@link alloc} gave room last. */
  get bytes(): Uint8Array {
    return this.#slab!.bytes;
  }

  /**
   * Room for a reply of `length` bytes (at most {@link SMALL_BYTES} and a header), in {@link bytes}. It is sent after what came before.
   *
   * @returns Where in {@link bytes} it begins.
   */
  alloc(length: number): number {
    if (this.#slab === undefined || this.#to + length > SLAB_BYTES) this.#nextSlab();
    const at = this.#to;
    this.#to += length;
    this.#readyBytes += length;
    this.#share.add(length);
    return at;
  }

  /** Takes back the last {@link alloc}. */
  rewind(length: number): void {
    this.#to -= length;
    this.#readyBytes -= length;
    this.#share.give(length);
  }

  /** Makes the last {@link alloc} a region, whose reply takes its place when it is complete. */
  detach(length: number): Region {
    const slab = this.#slab!;
    const at = this.#to - length;
    this.#to = at;
    this.#cut();
    this.#from = at + length;
    this.#to = this.#from;
    this.#readyBytes -= length;
    slab.users += 1;
    return { slab, at, length };
  }

  /** Sends a region's reply next. */
  attach({ slab, at, length }: Region): void {
    this.#cut();
    this.#parts.push(slab.bytes.subarray(at, at + length));
    this.#partSlabs.push(slab);
    this.#readyBytes += length;
  }

  /** Gives up a region. */
  discard({ slab, length }: Region): void {
    this.#release(slab);
    this.#share.give(length);
  }

  /**
   * Sends a payload from where it is.
   *
   * @param payload - Its bytes were counted in the share, by the caller.
   * @param buffer - The pool's buffer that it lies in, when it is the last payload there: then it goes back once it was sent.
   */
  append(payload: Uint8Array, buffer?: Uint8Array): void {
    this.#cut();
    this.#parts.push(payload);
    if (buffer !== undefined) this.#partBuffers.push(buffer);
    this.#readyBytes += payload.byteLength;
  }

  /** Hands over all that is ready. */
  flush(): void {
    this.#cut();
    if (this.#parts.length === 0) return;
    const parts = this.#parts;
    const slabs = this.#partSlabs;
    const buffers = this.#partBuffers;
    const length = this.#readyBytes;
    this.#parts = [];
    this.#partSlabs = [];
    this.#partBuffers = [];
    this.#readyBytes = 0;
    this.#sendingBytes += length;
    this.#nrSending += 1;
    const onSent = () => {
      this.#sendingBytes -= length;
      this.#nrSending -= 1;
      this.#share.give(length);
      for (const slab of slabs) this.#release(slab);
      for (const buffer of buffers) this.#pool.give(buffer);
      this.#reuse();
    };
    if (this.#isClosed) onSent();
    else this.#send(parts, onSent);
  }

  /** From now on nothing is sent; memory still goes back. */
  close(): void {
    this.#isClosed = true;
    this.flush();
    if (this.#slab !== undefined) this.#release(this.#slab);
    this.#slab = undefined;
    this.#from = 0;
    this.#to = 0;
  }

  /** Makes the slab's ready piece a part. */
  #cut(): void {
    if (this.#to === this.#from) return;
    const slab = this.#slab!;
    slab.users += 1;
    this.#parts.push(slab.bytes.subarray(this.#from, this.#to));
    this.#partSlabs.push(slab);
    this.#from = this.#to;
  }

  #nextSlab(): void {
    this.#cut();
    if (this.#slab !== undefined) this.#release(this.#slab);
    this.#slab = { bytes: this.#pool.take(SLAB_BYTES), users: 1 };
    this.#from = 0;
    this.#to = 0;
  }

  /** Begins the slab anew when nobody else uses it: its memory is still in the processor's cache. */
  #reuse(): void {
    if (this.#slab === undefined || this.#slab.users !== 1 || this.#to !== this.#from) return;
    this.#from = 0;
    this.#to = 0;
  }

  #release(slab: Slab): void {
    slab.users -= 1;
    assert(slab.users >= 0, 'a slab is released once by each user');
    if (slab.users === 0) this.#pool.give(slab.bytes);
  }
}
