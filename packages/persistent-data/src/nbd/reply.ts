/** Whole replies without data, put into the outbox. */

import type { Extents } from './block-status.ts';
import { encodeBounded, type NbdError } from './nbd-error.ts';
import type { ReplyForm } from './option-reply.ts';
import type { Outbox } from './outbox.ts';
import { CHUNKS, ERRORS, SIZES } from './protocol.ts';
import { chunkHeadSize, putChunkHead, putSimpleHead, type Request } from './reply-head.ts';
import { putU16, putU32, putU64 } from './wire.ts';

/** Longest message in an error: people read it, and clients may have small buffers. */
const MAX_MESSAGE_BYTES = 1024;

/** Answers that a request is done. `isRead`: its reply has to be structured if any is. */
export function replyDone(outbox: Outbox, form: ReplyForm, request: Request, isRead: boolean): void {
  if (form.extended || (isRead && form.structured)) {
    const at = outbox.alloc(chunkHeadSize(form));
    putChunkHead(outbox.bytes, at, form, request, { type: CHUNKS.none, isDone: true, length: 0 });
  } else {
    // Shorter than a chunk, and allowed for all commands that return no data.
    const at = outbox.alloc(SIZES.simpleReply);
    putSimpleHead(outbox.bytes, at, request, 0);
  }
}

/** Answers that a request failed; with the message where replies are structured. */
export function replyError(outbox: Outbox, form: ReplyForm, request: Request, error: NbdError): void {
  const errno = ERRORS[error.errno];
  if (!form.structured) {
    const at = outbox.alloc(SIZES.simpleReply);
    putSimpleHead(outbox.bytes, at, request, errno);
    return;
  }
  const message = encodeBounded(error.message, MAX_MESSAGE_BYTES);
  const head = chunkHeadSize(form);
  const length = 6 + message.byteLength;
  const at = outbox.alloc(head + length);
  const { bytes } = outbox;
  putChunkHead(bytes, at, form, request, { type: CHUNKS.error, isDone: true, length });
  putU32(bytes, at + head, errno);
  putU16(bytes, at + head + 4, message.byteLength);
  bytes.set(message, at + head + 6);
}

/** Extents of one metadata context. */
export interface ContextExtents {
  readonly id: number;
  readonly extents: Extents;
}

/** Answers a block status: a chunk for each context. */
export function replyExtents(
  outbox: Outbox,
  form: ReplyForm,
  request: Request,
  found: readonly ContextExtents[],
): void {
  const head = chunkHeadSize(form);
  const begin = form.extended ? 8 : 4;
  const itemSize = form.extended ? 16 : 8;
  for (const [i, { id, extents }] of found.entries()) {
    const length = begin + (extents.length / 2) * itemSize;
    const isDone = i === found.length - 1;
    // Long ones do not fit into a slab; their number is bounded by the queries.
    const at = outbox.alloc(head + begin);
    const type = form.extended ? CHUNKS.blockStatusExt : CHUNKS.blockStatus;
    putChunkHead(outbox.bytes, at, form, request, { type, isDone, length });
    putU32(outbox.bytes, at + head, id);
    if (form.extended) putU32(outbox.bytes, at + head + 4, extents.length / 2);
    for (let e = 0; e < extents.length; e += 2) {
      const item = outbox.alloc(itemSize);
      if (form.extended) {
        putU64(outbox.bytes, item, extents[e]!);
        putU64(outbox.bytes, item + 8, extents[e + 1]!);
      } else {
        putU32(outbox.bytes, item, extents[e]!);
        putU32(outbox.bytes, item + 4, extents[e + 1]!);
      }
    }
  }
}
