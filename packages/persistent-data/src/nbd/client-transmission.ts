import { ProtocolError } from '../base/index.ts';
import type { ClientAgreement } from './client-negotiation.ts';
import { Coverage } from './coverage.ts';
import { errorName, NbdError } from './nbd-error.ts';
import {
  BOUNDS,
  CHUNK_DONE,
  CHUNK_MAGIC,
  CHUNKS,
  COMMAND_FLAGS,
  COMMAND_NAMES,
  COMMANDS,
  EXTENDED_CHUNK_MAGIC,
  EXTENDED_REQUEST_MAGIC,
  REQUEST_MAGIC,
  SIMPLE_REPLY_MAGIC,
  SIZES,
} from './protocol.ts';
import { StreamParser } from './stream-parser.ts';
import { getU16, getU32, getU64, putU16, putU32, putU64 } from './wire.ts';

/** A range with what a metadata context says about it. */
export interface Extent {
  /** Bytes. */
  readonly length: number;
  /** Exact up to 2^53 - 1. */
  readonly flags: number;
}

/** A request to be sent. */
export interface ClientRequest {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
  /** Of a write. */
  readonly data?: Uint8Array;
  /** Of a read: where its bytes go; `length` of them. */
  readonly into?: Uint8Array;
}

interface Pending extends ClientRequest {
  readonly coverage: Coverage | undefined;
  /** Extents by the id of their context. */
  readonly extents: Map<number, Extent[]>;
  /** The first error that was told; the reply may go on. */
  error: NbdError | undefined;
  readonly resolve: (extents: ReadonlyMap<number, readonly Extent[]>) => void;
  readonly reject: (error: Error) => void;
}

interface Chunk {
  readonly pending: Pending;
  readonly cookie: number;
  readonly type: number;
  readonly isDone: boolean;
  readonly length: number;
}

const FIRST_ERROR_CHUNK = 0x8000;

/** Longest error chunk: number, length, message, offset. */
const MAX_ERROR_BYTES = 6 + BOUNDS.stringBytes + 8;

/** Longest chunk of extents that is taken: 65536 of them, or half as many with extended headers. */
const MAX_STATUS_BYTES = 8 + 65536 * 8;

/**
 * The client's side of the transmission: makes requests, and gives each its reply. Read data goes straight to where it is wanted. A server
 * that breaks the protocol fails all that waits, now and later: nothing it said since can be trusted.
 */
export class ClientTransmission extends StreamParser {
  readonly #agreement: ClientAgreement;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #onBroken: (error: ProtocolError) => void;
  readonly #pending = new Map<number, Pending>();
  #nextCookie = 1;
  /** The chunk that is being received, and whether its offset comes next. */
  #chunk: Chunk | undefined;
  #failure: Error | undefined;
  /** The simple reply to a read that is being received. */
  #simple: number | undefined;

  constructor(agreement: ClientAgreement, send: (bytes: Uint8Array) => void, onBroken: (error: ProtocolError) => void) {
    super();
    this.#agreement = agreement;
    this.#send = send;
    this.#onBroken = onBroken;
    this.#expectReply();
  }

  /** Requests without a reply. */
  get nrPending(): number {
    return this.#pending.size;
  }

  /** Everything that waits fails, now and later. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.halt();
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  /** Sends a request and waits for its reply: extents by the id of their context, for a block status. */
  request(request: ClientRequest): Promise<ReadonlyMap<number, readonly Extent[]>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const cookie = this.#nextCookie;
    this.#nextCookie += 1;
    return new Promise((resolve, reject) => {
      const coverage = request.into === undefined ? undefined : new Coverage(request.offset, request.length);
      this.#pending.set(cookie, { ...request, coverage, extents: new Map(), error: undefined, resolve, reject });
      this.#sendRequest(request, cookie);
    });
  }

  /** Says goodbye; there is no reply. */
  disconnect(): void {
    this.#sendRequest({ type: COMMANDS.disc, flags: 0, offset: 0, length: 0 }, 0);
  }

  #sendRequest({ type, flags, offset, length, data }: ClientRequest, cookie: number): void {
    const { extended } = this.#agreement;
    const bytes = new Uint8Array(extended ? SIZES.extendedRequest : SIZES.request);
    putU32(bytes, 0, extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC);
    putU16(bytes, 4, extended && type === COMMANDS.write ? flags | COMMAND_FLAGS.payloadLen : flags);
    putU16(bytes, 6, type);
    putU64(bytes, 8, cookie);
    putU64(bytes, 16, offset);
    if (extended) putU64(bytes, 24, length);
    else putU32(bytes, 24, length);
    this.#send(bytes);
    if (data !== undefined && data.byteLength > 0) this.#send(data);
  }

  #expectReply(): void {
    this.expect(this.#agreement.extended ? SIZES.extendedChunk : SIZES.simpleReply);
  }

  protected override onHeader(bytes: Uint8Array, at: number): boolean {
    if (this.#chunk !== undefined) return this.#onChunkOffset(this.#chunk, bytes, at);
    const magic = getU32(bytes, at);
    const { structured, extended } = this.#agreement;
    if (extended && magic === EXTENDED_CHUNK_MAGIC) return this.#onChunk(bytes, at, getU64(bytes, at + 24));
    if (!extended && magic === SIMPLE_REPLY_MAGIC) return this.#onSimpleReply(bytes, at);
    if (!structured || extended || magic !== CHUNK_MAGIC)
      return this.#break(`a reply begins with 0x${magic.toString(16)}`);
    // Its first 16 bytes are here; another 4 make it a chunk's head.
    if (this.#isShort) {
      this.#isShort = false;
      this.expect(SIZES.chunk);
      return false;
    }
    this.#isShort = true;
    return this.#onChunk(bytes, at, getU32(bytes, at + 16));
  }

  /** Whether what was shown is as short as a simple reply. */
  #isShort = true;

  #onSimpleReply(bytes: Uint8Array, at: number): boolean {
    const errno = getU32(bytes, at + 4);
    const cookie = getU64(bytes, at + 8);
    const pending = this.#pending.get(cookie);
    if (pending === undefined) return this.#break('a reply is to no request');
    const isRead = pending.type === COMMANDS.read;
    if (this.#agreement.structured && (isRead || pending.type === COMMANDS.blockStatus)) {
      return this.#break('a structured reply was agreed on, and a simple one came');
    }
    if (errno !== 0) pending.error = toError(pending, errno, '');
    else if (isRead && pending.length > 0) {
      this.#simple = cookie;
      pending.coverage!.add(pending.offset, pending.length);
      this.fill(pending.into!);
      return true;
    }
    this.#finish(cookie, pending);
    return true;
  }

  #onChunk(bytes: Uint8Array, at: number, length: number): boolean {
    this.#expectReply();
    const cookie = getU64(bytes, at + 8);
    const pending = this.#pending.get(cookie);
    if (pending === undefined) return this.#break('a chunk is of no request');
    const isDone = (getU16(bytes, at + 4) & CHUNK_DONE) !== 0;
    const type = getU16(bytes, at + 6);
    const chunk = { pending, cookie, type, isDone, length };
    const { extended } = this.#agreement;
    if (type >= FIRST_ERROR_CHUNK) return this.#expectBody(chunk, 6, MAX_ERROR_BYTES);
    if (type === CHUNKS.none) {
      if (length !== 0 || !isDone) return this.#break('an empty chunk has content, or is not the last one');
      this.#endChunk(chunk);
      return true;
    }
    if (type === CHUNKS.offsetData || type === CHUNKS.offsetHole) return this.#expectData(chunk);
    const status = extended ? CHUNKS.blockStatusExt : CHUNKS.blockStatus;
    if (type === status && pending.type === COMMANDS.blockStatus) return this.#expectBody(chunk, 12, MAX_STATUS_BYTES);
    return this.#break(`a chunk of type ${type} came for ${COMMAND_NAMES[pending.type]}`);
  }

  /** Data of a read: first its offset, and the size of a hole. */
  #expectData(chunk: Chunk): boolean {
    const isHole = chunk.type === CHUNKS.offsetHole;
    if (chunk.pending.type !== COMMANDS.read) return this.#break('data came for something that was no read');
    if (isHole ? chunk.length !== 12 : chunk.length <= 8)
      return this.#break(`a chunk of data has ${chunk.length} bytes`);
    this.#chunk = chunk;
    this.expect(isHole ? 12 : 8);
    return true;
  }

  #onChunkOffset(chunk: Chunk, bytes: Uint8Array, at: number): boolean {
    const { pending, type } = chunk;
    const offset = getU64(bytes, at);
    const length = type === CHUNKS.offsetHole ? getU32(bytes, at + 8) : chunk.length - 8;
    if (!pending.coverage!.add(offset, length))
      return this.#break('data lies outside of what was asked for, or overlaps');
    const begin = offset - pending.offset;
    const target = pending.into!.subarray(begin, begin + length);
    this.#expectReply();
    if (type === CHUNKS.offsetHole) {
      target.fill(0);
      this.#chunk = undefined;
      this.#endChunk(chunk);
    } else this.fill(target);
    return true;
  }

  #expectBody(chunk: Chunk, minBytes: number, maxBytes: number): boolean {
    if (chunk.length < minBytes || chunk.length > maxBytes)
      return this.#break(`a chunk of type ${chunk.type} has ${chunk.length} bytes`);
    this.#chunk = chunk;
    this.take(chunk.length, (size) => new Uint8Array(size));
    return true;
  }

  protected override onPayload(payload: Uint8Array): void {
    this.#expectReply();
    if (this.#simple !== undefined) {
      const cookie = this.#simple;
      this.#simple = undefined;
      this.#finish(cookie, this.#pending.get(cookie)!);
      return;
    }
    const chunk = this.#chunk!;
    this.#chunk = undefined;
    const isFine =
      chunk.type >= FIRST_ERROR_CHUNK
        ? this.#onError(chunk, payload)
        : chunk.type === CHUNKS.offsetData || this.#onExtents(chunk, payload);
    if (isFine) this.#endChunk(chunk);
  }

  /** @returns Whether it is fine. */
  #onError({ pending }: Chunk, payload: Uint8Array): boolean {
    const errno = getU32(payload, 0);
    const length = getU16(payload, 4);
    if (errno === 0 || length > payload.byteLength - 6) return !this.#break('an error is malformed');
    const message = Buffer.from(payload.subarray(6, 6 + length)).toString('utf8');
    pending.error ??= toError(pending, errno, message);
    return true;
  }

  /** @returns Whether they are fine. */
  #onExtents({ pending }: Chunk, payload: Uint8Array): boolean {
    const { extended, contexts } = this.#agreement;
    const id = getU32(payload, 0);
    const begin = extended ? 8 : 4;
    const itemSize = extended ? 16 : 8;
    const count = (payload.byteLength - begin) / itemSize;
    if (!Number.isInteger(count) || count < 1 || (extended && getU32(payload, 4) !== count))
      return !this.#break('extents are malformed');
    if (!contexts.has(id) || pending.extents.has(id))
      return !this.#break('extents are of a context that was not selected, or came twice');
    const extents: Extent[] = [];
    let sum = 0;
    for (let at = begin; at < payload.byteLength; at += itemSize) {
      const length = extended ? getU64(payload, at) : getU32(payload, at);
      if (length === 0 || sum >= pending.length) return !this.#break('an extent is empty, or too much');
      // The last one may go on behind the range, which is not what was asked for.
      const inside = Math.min(length, pending.length - sum);
      extents.push({ length: inside, flags: extended ? getU64(payload, at + 8) : getU32(payload, at + 4) });
      sum += length;
    }
    pending.extents.set(id, extents);
    return true;
  }

  #endChunk({ pending, cookie, isDone }: Chunk): void {
    if (isDone) this.#finish(cookie, pending);
  }

  #finish(cookie: number, pending: Pending): void {
    if (pending.error === undefined && pending.coverage?.isComplete === false) {
      this.#break('a read was answered in part');
      return;
    }
    if (pending.error === undefined && pending.type === COMMANDS.blockStatus && pending.extents.size === 0) {
      this.#break('a block status was answered without extents');
      return;
    }
    this.#pending.delete(cookie);
    if (pending.error === undefined) pending.resolve(pending.extents);
    else pending.reject(pending.error);
  }

  /** @returns True: what was looked at is used up. */
  #break(text: string): boolean {
    const error = new ProtocolError(`Cannot go on with the NBD server: ${text}`);
    this.fail(error);
    this.#onBroken(error);
    return true;
  }
}

function toError({ type, offset, length }: ClientRequest, errno: number, message: string): NbdError {
  const name = errorName(errno);
  const what = `${COMMAND_NAMES[type]} ${length} bytes at ${offset}`;
  return new NbdError(name, `Cannot ${what}: the server answered ${name}${message === '' ? '' : `, ${message}`}`);
}
