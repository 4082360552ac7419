import { monotonicMs } from '../base/index.ts';
import { type ExtentQuery, type Extents, queryExtents } from './block-status.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { Answer, NbdExport } from './export.ts';
import type { BudgetShare } from './memory-budget.ts';
import { type NbdMetrics, recordLatency } from './metrics.ts';
import { NbdError, toNbdError } from './nbd-error.ts';
import type { Outbox } from './outbox.ts';
import {
  BOUNDS,
  COMMAND_FLAGS,
  COMMAND_NAMES,
  COMMANDS,
  EXTENDED_REQUEST_MAGIC,
  REQUEST_MAGIC,
  SIZES,
} from './protocol.ts';
import { readAndReply } from './read-reply.ts';
import { type ContextExtents, replyDone, replyError, replyExtents } from './reply.ts';
import type { Request } from './reply-head.ts';
import { changesExport, checkRequest, type Target } from './request-check.ts';
import { StreamParser } from './stream-parser.ts';
import { getU16, getU32, getU64 } from './wire.ts';

/** Replies beyond this many bytes are to leave before more requests are begun. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** Longest payload of a block status: 8 bytes and the ids of at most 64 contexts. */
const MAX_FILTER_BYTES = 8 + 4 * 64;

export interface TransmissionOptions {
  readonly target: Target;
  readonly outbox: Outbox;
  readonly pool: BufferPool;
  readonly share: BudgetShare;
  readonly metrics: NbdMetrics;
  /** Requests that may wait for the export at once. */
  readonly maxInFlight: number;
  readonly isStopping: () => boolean;
  /** A request that had to wait was answered: there is something to send, and room for another. */
  readonly onAnswered: () => void;
  /** An export failed in a way that is no answer to be expected. */
  readonly onFailure: (request: Request, error: NbdError) => void;
  /** The client breaks the protocol: the connection has to go. */
  readonly onBroken: (reason: string) => void;
}

/**
 * The server's side of the transmission: takes requests apart, asks the export, and puts replies into the outbox. Requests that the export
 * answers at once are answered in their order; those that wait overtake each other.
 *
 * Stops taking requests while too many wait, too much is unsent, or the share of memory is used up.
 */
export class Transmission extends StreamParser {
  readonly #options: TransmissionOptions;
  readonly #target: Target;
  readonly #export: NbdExport;
  readonly #outbox: Outbox;
  #nrInFlight = 0;
  /** The request whose payload is being received, and the pool's buffer that it goes to when it comes in several pieces. */
  #request: Request | undefined;
  #buffer: Uint8Array | undefined;
  #isOver = false;
  #keptInput = false;
  /** Whether the request that was performed last still needs its payload: one that only waits for a flush does not. */
  #needsPayload = false;

  constructor(options: TransmissionOptions) {
    super();
    this.#options = options;
    this.#target = options.target;
    this.#export = options.target.export;
    this.#outbox = options.outbox;
    this.expect(options.target.form.extended ? SIZES.extendedRequest : SIZES.request);
  }

  /** Requests that wait for the export. */
  get nrInFlight(): number {
    return this.#nrInFlight;
  }

  /** Whether the client said goodbye. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether a request that waits has a view of what was fed since the last question. */
  takeKeptInput(): boolean {
    const kept = this.#keptInput;
    this.#keptInput = false;
    return kept;
  }

  /** Goes on when there was no room. The caller feeds the rest. */
  resume(): void {
    if (!this.#isOver) this.proceed();
  }

  /** The connection is gone: a payload that will not be complete gives its buffer back. */
  abandon(): void {
    this.#isOver = true;
    this.halt();
    if (this.#buffer !== undefined) this.#giveBack(this.#buffer, this.#request!.length);
    this.#buffer = undefined;
  }

  protected override onHeader(bytes: Uint8Array, at: number): boolean {
    const { extended } = this.#target.form;
    if (getU32(bytes, at) !== (extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC)) {
      this.#break(`a request begins with 0x${getU32(bytes, at).toString(16)}`);
      return true;
    }
    const type = getU16(bytes, at + 6);
    const length = extended ? getU64(bytes, at + 24) : getU32(bytes, at + 24);
    const hasData = type === COMMANDS.read || type === COMMANDS.write;
    if (!this.#hasRoom(hasData ? Math.min(length, BOUNDS.payloadBytes) : 0)) {
      this.halt();
      return false;
    }
    const request: Request = {
      type,
      flags: getU16(bytes, at + 4),
      cookieHigh: getU32(bytes, at + 8),
      cookieLow: getU32(bytes, at + 12),
      offset: getU64(bytes, at + 16),
      length,
      sinceMs: monotonicMs(),
    };
    const name = COMMAND_NAMES[type];
    if (name !== undefined) this.#options.metrics.requests[name] += 1;
    if (type === COMMANDS.disc) {
      this.#isOver = true;
      this.halt();
    } else if (type === COMMANDS.write || (extended && (request.flags & COMMAND_FLAGS.payloadLen) !== 0)) {
      this.#expectPayload(request);
    } else this.#start(request, undefined, undefined);
    return true;
  }

  #hasRoom(length: number): boolean {
    const { share, maxInFlight } = this.#options;
    if (this.#nrInFlight >= maxInFlight || this.#outbox.waitingBytes >= MAX_WAITING_BYTES) return false;
    return share.admits(length);
  }

  /** A payload follows: it has to be taken from the stream also when the request is refused. */
  #expectPayload(request: Request): void {
    const { length } = request;
    if (length > BOUNDS.payloadBytes) {
      this.#break(`a payload has ${length} bytes, at most ${BOUNDS.payloadBytes} are accepted`);
      return;
    }
    const error = this.#payloadError(request);
    if (error !== undefined) {
      this.#refuse(request, error);
      // With extended headers a write without the flag has no payload.
      if (!this.#target.form.extended || (request.flags & COMMAND_FLAGS.payloadLen) !== 0) this.skip(length);
      return;
    }
    this.#request = request;
    this.take(length, (size) => {
      const { pool, share } = this.#options;
      share.add(size);
      this.#buffer = pool.take(size);
      return this.#buffer.subarray(0, size);
    });
  }

  /** Why a request is refused before its payload is here. */
  #payloadError(request: Request): NbdError | undefined {
    if (this.#options.isStopping()) return stoppingError();
    if (request.type !== COMMANDS.blockStatus) return checkRequest(request, this.#target);
    if (request.length <= MAX_FILTER_BYTES) return undefined;
    return new NbdError('EINVAL', `a filter of ${request.length} bytes is too long`);
  }

  protected override onPayload(payload: Uint8Array): void {
    const request = this.#request!;
    const buffer = this.#buffer;
    this.#request = undefined;
    this.#buffer = undefined;
    if (request.type !== COMMANDS.blockStatus) {
      this.#start(request, payload, buffer);
      return;
    }
    const { length } = request;
    const ids = this.#parseFilter(request, payload);
    if (ids instanceof NbdError) this.#refuse(request, ids);
    else this.#start(request, undefined, undefined, ids);
    if (buffer !== undefined) this.#giveBack(buffer, length);
  }

  /** The payload of a block status: the length of the range, which goes into the request, and the ids of the contexts that are wanted. */
  #parseFilter(request: Request, payload: Uint8Array): number[] | NbdError {
    if (payload.byteLength < 12 || payload.byteLength % 4 !== 0) {
      return new NbdError('EINVAL', `a filter has ${payload.byteLength} bytes, 8 and 4 for each context are wanted`);
    }
    const ids: number[] = [];
    for (let at = 8; at < payload.byteLength; at += 4) ids.push(getU32(payload, at));
    request.length = getU64(payload, 0);
    if (new Set(ids).size === ids.length && ids.every((id) => id < this.#target.contexts.length)) return ids;
    return new NbdError('EINVAL', 'a filter names a context twice, or one that was not selected');
  }

  #giveBack(buffer: Uint8Array, length: number): void {
    this.#options.share.give(length);
    this.#options.pool.give(buffer);
  }

  /**
   * Does a request, and its reply at once or later.
   *
   * @param buffer - The pool's buffer that the payload lies in.
   * @param ids - Of the contexts that a block status wants; all that were selected, when it is `undefined`.
   */
  #start(request: Request, payload: Uint8Array | undefined, buffer: Uint8Array | undefined, ids?: number[]): void {
    let waiting = undefined as Answer;
    try {
      const error = this.#options.isStopping() ? stoppingError() : checkRequest(request, this.#target);
      if (error !== undefined) this.#refuse(request, error);
      else {
        waiting = this.#perform(request, payload, ids);
        if (waiting === undefined) this.#answered(request);
      }
    } catch (error) {
      this.#fail(request, error);
    }
    const isHeld = waiting !== undefined && this.#needsPayload;
    if (waiting !== undefined) this.#wait(request, waiting, isHeld ? payload : undefined, isHeld ? buffer : undefined);
    if (!isHeld && buffer !== undefined) this.#giveBack(buffer, request.length);
  }

  #wait(
    request: Request,
    waiting: Promise<void>,
    payload: Uint8Array | undefined,
    buffer: Uint8Array | undefined,
  ): void {
    const { metrics, share, onAnswered } = this.#options;
    // A payload that is a view of what was received keeps that alive.
    const heldBytes = buffer === undefined && payload !== undefined ? payload.byteLength : 0;
    if (heldBytes > 0) this.#keptInput = true;
    share.add(heldBytes);
    this.#nrInFlight += 1;
    metrics.inFlight += 1;
    const done = () => {
      share.give(heldBytes);
      if (buffer !== undefined) this.#giveBack(buffer, request.length);
      this.#nrInFlight -= 1;
      metrics.inFlight -= 1;
      onAnswered();
    };
    waiting.then(
      () => {
        this.#answered(request);
        done();
      },
      (error: unknown) => {
        this.#fail(request, error);
        done();
      },
    );
  }

  #perform(request: Request, payload: Uint8Array | undefined, ids: number[] | undefined): Answer {
    const { type, length } = request;
    if (type === COMMANDS.read) return readAndReply(this.#options, request);
    if (type === COMMANDS.blockStatus) return this.#blockStatus(request, ids ?? [...this.#target.contexts.keys()]);
    let waiting = undefined as Answer;
    if (type === COMMANDS.flush) waiting = this.#export.flush();
    else if (length > 0) waiting = this.#change(request, payload);
    this.#needsPayload = waiting !== undefined;
    if (changesExport(type) && (request.flags & COMMAND_FLAGS.fua) !== 0) {
      waiting = waiting === undefined ? this.#export.flush() : waiting.then(() => this.#export.flush());
    }
    if (waiting === undefined) return replyDone(this.#outbox, this.#target.form, request, false);
    return waiting.then(() => replyDone(this.#outbox, this.#target.form, request, false));
  }

  #change(request: Request, payload: Uint8Array | undefined): Answer {
    const { offset, length } = request;
    switch (request.type) {
      case COMMANDS.write:
        return this.#export.write!(offset, payload!);
      case COMMANDS.trim:
        return this.#export.trim!(offset, length);
      case COMMANDS.cache:
        return this.#export.cache!(offset, length);
      default: {
        const noHole = (request.flags & COMMAND_FLAGS.noHole) !== 0;
        const fast = (request.flags & COMMAND_FLAGS.fastZero) !== 0;
        return this.#export.writeZeroes!(offset, length, { noHole, fast });
      }
    }
  }

  #blockStatus(request: Request, ids: readonly number[]): Answer {
    const { form, contexts } = this.#target;
    const { offset, length } = request;
    if (length === 0) throw new NbdError('EINVAL', 'a block status of no bytes has no extents');
    const query = { offset, length, one: (request.flags & COMMAND_FLAGS.reqOne) !== 0 };
    const found = ids.map((id) => ({ id, extents: this.#extents(contexts[id]!, query) }));
    if (!found.some(({ extents }) => extents instanceof Promise)) {
      return replyExtents(this.#outbox, form, request, found as ContextExtents[]);
    }
    return Promise.all(
      found.map(async ({ id, extents }): Promise<{ id: number; extents: Extents }> => ({ id, extents: await extents })),
    ).then((all) => replyExtents(this.#outbox, form, request, all));
  }

  /** A failure is always a rejection, so that it can't leave another context's alone, for nobody to hear. */
  #extents(context: string, query: ExtentQuery): Extents | Promise<Extents> {
    try {
      return queryExtents(this.#export, context, query);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #answered(request: Request): void {
    const { metrics } = this.#options;
    recordLatency(metrics.latency[COMMAND_NAMES[request.type]!], monotonicMs() - request.sinceMs);
    if (request.type === COMMANDS.read) metrics.readBytes += request.length;
    else if (request.type === COMMANDS.write) metrics.writtenBytes += request.length;
  }

  /** The export failed. */
  #fail(request: Request, cause: unknown): void {
    const error = toNbdError(cause);
    // ENOTSUP answers a wish for speed, and others say so themselves when they mean to.
    if (error.errno !== 'ENOTSUP') this.#options.onFailure(request, error);
    this.#refuse(request, error);
  }

  #refuse(request: Request, error: NbdError): void {
    this.#options.metrics.errors[error.errno] += 1;
    replyError(this.#outbox, this.#target.form, request, error);
  }

  #break(reason: string): void {
    this.#isOver = true;
    this.halt();
    this.#options.onBroken(reason);
  }
}

function stoppingError(): NbdError {
  return new NbdError('ESHUTDOWN', 'the server is being closed');
}
