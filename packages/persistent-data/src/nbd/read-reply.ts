import { type Extents, queryExtents } from './block-status.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { Answer } from './export.ts';
import type { BudgetShare } from './memory-budget.ts';
import { toNbdError } from './nbd-error.ts';
import { type Outbox, SMALL_BYTES } from './outbox.ts';
import { ALLOCATION, COMMAND_FLAGS, CONTEXTS } from './protocol.ts';
import { replyDone } from './reply.ts';
import { chunkHeadSize, dataHeadSize, putDataHead, putHole, type Request } from './reply-head.ts';
import type { Target } from './request-check.ts';

/** Reads from this length on are asked for holes first: below it a hole costs less to send than to look up. */
const SPARSE_BYTES = 32 * 1024;

/** Most pieces of data and holes in one reply. */
const MAX_PIECES = 128;

/** A part of a read: data, or a hole that reads as zeroes. */
interface Piece {
  readonly offset: number;
  readonly length: number;
  readonly isHole: boolean;
}

/** What reading needs of its connection. */
export interface ReadContext {
  readonly target: Target;
  readonly outbox: Outbox;
  readonly pool: BufferPool;
  readonly share: BudgetShare;
}

/**
 * Reads, and puts the reply into the outbox.
 *
 * @returns Nothing when that is done; a promise when the export has to wait.
 * @throws (or rejects with) what the export threw; then nothing was put.
 */
export function readAndReply(context: ReadContext, request: Request): Answer {
  const { target, outbox } = context;
  if (request.length === 0) return replyDone(outbox, target.form, request, true);
  if (request.length >= SPARSE_BYTES && target.knowsHoles && (request.flags & COMMAND_FLAGS.df) === 0) {
    const pieces = findHoles(target, request);
    if (pieces !== undefined) return readSparse(context, request, pieces);
  }
  return request.length <= SMALL_BYTES ? readSmall(context, request) : readLarge(context, request);
}

/** Straight into the slab: the export's bytes lie behind the head, and nothing is copied. */
function readSmall({ target, outbox }: ReadContext, request: Request): Answer {
  const { form } = target;
  const { offset, length } = request;
  const head = dataHeadSize(form);
  const at = outbox.alloc(head + length);
  const { bytes } = outbox;
  let waiting = undefined as Answer;
  try {
    waiting = target.export.read(offset, bytes.subarray(at + head, at + head + length));
  } catch (error) {
    outbox.rewind(head + length);
    throw error;
  }
  if (waiting === undefined) return putDataHead(bytes, at, form, request, { offset, length, isDone: true });
  const region = outbox.detach(head + length);
  return waiting.then(
    () => {
      putDataHead(bytes, at, form, request, { offset, length, isDone: true });
      outbox.attach(region);
    },
    (error: unknown) => {
      outbox.discard(region);
      throw toNbdError(error);
    },
  );
}

function readLarge(context: ReadContext, request: Request): Answer {
  const { offset, length } = request;
  return readSparse(context, request, [{ offset, length, isHole: false }]);
}

/** Reads the pieces that have data into one buffer, and sends them from there. */
function readSparse(context: ReadContext, request: Request, pieces: readonly Piece[]): Answer {
  const { target, outbox, pool, share } = context;
  const length = pieces.reduce((sum, piece) => sum + (piece.isHole ? 0 : piece.length), 0);
  if (length === 0) return putPieces(context, request, pieces, new Uint8Array(0));
  const buffer = pool.take(length);
  share.add(length);
  const fail = (error: unknown): never => {
    share.give(length);
    pool.give(buffer);
    throw toNbdError(error);
  };
  const waiting: Promise<void>[] = [];
  let failure: unknown;
  let at = 0;
  for (const piece of pieces) {
    if (piece.isHole || failure !== undefined) continue;
    try {
      const one = target.export.read(piece.offset, buffer.subarray(at, at + piece.length));
      if (one !== undefined) waiting.push(one);
    } catch (error) {
      failure = toNbdError(error);
    }
    at += piece.length;
  }
  if (waiting.length === 0) return failure === undefined ? putPieces(context, request, pieces, buffer) : fail(failure);
  // All have to be settled before the buffer may be used again, also when one has failed.
  return Promise.allSettled(waiting).then((results) => {
    const rejected = results.find((result) => result.status === 'rejected');
    if (failure !== undefined || rejected !== undefined) fail(failure ?? rejected!.reason);
    putPieces(context, request, pieces, buffer);
    outbox.flush();
  });
}

function putPieces(context: ReadContext, request: Request, pieces: readonly Piece[], buffer: Uint8Array): void {
  const { outbox, target } = context;
  const { form } = target;
  const lastData = pieces.findLastIndex((piece) => !piece.isHole);
  let from = 0;
  for (const [i, piece] of pieces.entries()) {
    const { offset, length } = piece;
    const isDone = i === pieces.length - 1;
    if (piece.isHole) {
      const at = outbox.alloc(chunkHeadSize(form) + 12);
      putHole(outbox.bytes, at, form, request, { offset, length, isDone });
    } else {
      const at = outbox.alloc(dataHeadSize(form));
      putDataHead(outbox.bytes, at, form, request, { offset, length, isDone });
      outbox.append(buffer.subarray(from, from + length), i === lastData ? buffer : undefined);
      from += length;
    }
  }
}

/** Pieces of a read, when some are known at once to be zeroes. */
function findHoles(target: Target, request: Request): Piece[] | undefined {
  const extents = knownExtents(target, request);
  if (extents === undefined) return undefined;
  const pieces: Piece[] = [];
  let { offset } = request;
  for (let i = 0; i < extents.length; i += 2) {
    const length = extents[i]!;
    const isHole = (extents[i + 1]! & ALLOCATION.zero) !== 0;
    pieces.push({ offset, length, isHole });
    offset += length;
  }
  const left = request.offset + request.length - offset;
  if (left > 0) pieces.push({ offset, length: left, isHole: false });
  return pieces.length > MAX_PIECES || !pieces.some((piece) => piece.isHole) ? undefined : pieces;
}

/** Extents that are known at once. A failure to know them is not the read's: it tries by itself. */
function knownExtents(target: Target, { offset, length }: Request): Extents | undefined {
  try {
    const extents = queryExtents(target.export, CONTEXTS.allocation, { offset, length, one: false });
    if (!(extents instanceof Promise)) return extents;
    extents.catch(() => {});
  } catch {
    // As above.
  }
  return undefined;
}
