/** Heads of replies, written into memory that is there. */

import type { ReplyForm } from './option-reply.ts';
import { CHUNK_DONE, CHUNK_MAGIC, CHUNKS, EXTENDED_CHUNK_MAGIC, SIMPLE_REPLY_MAGIC, SIZES } from './protocol.ts';
import { putU16, putU32, putU64 } from './wire.ts';

/** A request as it came; lengths and offsets in bytes. */
export interface Request {
  /** Number of the command; may be unknown. */
  readonly type: number;
  readonly flags: number;
  /** The client's 8 bytes that go back as they came, as two halves. */
  readonly cookieHigh: number;
  readonly cookieLow: number;
  readonly offset: number;
  /** Of the range that is meant; for a block status with payload, the length of the payload until that is here. */
  length: number;
  /** When it arrived, on the monotonic clock. */
  readonly sinceMs: number;
}

/** The head of a simple reply: 16 bytes. */
export function putSimpleHead(bytes: Uint8Array, at: number, request: Request, errno: number): void {
  putU32(bytes, at, SIMPLE_REPLY_MAGIC);
  putU32(bytes, at + 4, errno);
  putU32(bytes, at + 8, request.cookieHigh);
  putU32(bytes, at + 12, request.cookieLow);
}

/** Bytes of a chunk's head. */
export function chunkHeadSize(form: ReplyForm): number {
  return form.extended ? SIZES.extendedChunk : SIZES.chunk;
}

/** The head of a chunk: {@link chunkHeadSize} bytes, before `length` bytes of content. */
export function putChunkHead(
  bytes: Uint8Array,
  at: number,
  form: ReplyForm,
  request: Request,
  chunk: { readonly type: number; readonly isDone: boolean; readonly length: number },
): void {
  putU32(bytes, at, form.extended ? EXTENDED_CHUNK_MAGIC : CHUNK_MAGIC);
  putU16(bytes, at + 4, chunk.isDone ? CHUNK_DONE : 0);
  putU16(bytes, at + 6, chunk.type);
  putU32(bytes, at + 8, request.cookieHigh);
  putU32(bytes, at + 12, request.cookieLow);
  if (form.extended) {
    putU64(bytes, at + 16, request.offset);
    putU64(bytes, at + 24, chunk.length);
  } else putU32(bytes, at + 16, chunk.length);
}

/** Bytes before the data in a reply to a read. */
export function dataHeadSize(form: ReplyForm): number {
  return form.structured ? chunkHeadSize(form) + 8 : SIZES.simpleReply;
}

/** What comes before the data of a read: {@link dataHeadSize} bytes. */
export function putDataHead(
  bytes: Uint8Array,
  at: number,
  form: ReplyForm,
  request: Request,
  data: { readonly offset: number; readonly length: number; readonly isDone: boolean },
): void {
  if (!form.structured) {
    putSimpleHead(bytes, at, request, 0);
    return;
  }
  const chunk = { type: CHUNKS.offsetData, isDone: data.isDone, length: 8 + data.length };
  putChunkHead(bytes, at, form, request, chunk);
  putU64(bytes, at + chunkHeadSize(form), data.offset);
}

/** A chunk that stands for zeroes: {@link chunkHeadSize} + 12 bytes. */
export function putHole(
  bytes: Uint8Array,
  at: number,
  form: ReplyForm,
  request: Request,
  hole: { readonly offset: number; readonly length: number; readonly isDone: boolean },
): void {
  putChunkHead(bytes, at, form, request, { type: CHUNKS.offsetHole, isDone: hole.isDone, length: 12 });
  const body = at + chunkHeadSize(form);
  putU64(bytes, body, hole.offset);
  putU32(bytes, body + 8, hole.length);
}
