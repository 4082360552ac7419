import type { NbdExport } from './export.ts';
import { NbdError } from './nbd-error.ts';

/** Most extents in a reply. */
const MAX_EXTENTS = 8192;

/** Most extents that an export is asked for in one request, merged or not: bounds the work behind a short answer. */
const MAX_CALLS = 65536;

/** Extents: length and flags in turn, lengths in bytes. */
export type Extents = readonly number[];

export interface ExtentQuery {
  readonly offset: number;
  /** Bytes, at least 1. */
  readonly length: number;
  /** Whether only the first extent is wanted. */
  readonly one: boolean;
}

/**
 * Asks an export for the extents of a range. Neighbours with equal flags are merged; the answer ends where the range ends, or earlier when
 * it would be long or took much work, which the protocol allows.
 *
 * @throws {NbdError} EIO when the export told nothing.
 */
export function queryExtents(served: NbdExport, context: string, query: ExtentQuery): Extents | Promise<Extents> {
  const extents: number[] = [];
  let left = query.length;
  let nrCalls = 0;
  const add = (length: number, flags: number): boolean => {
    if (left === 0 || !(length > 0)) return false;
    nrCalls += 1;
    const last = extents.length - 2;
    const isSame = last >= 0 && extents[last + 1] === flags;
    if (!isSame && last >= 0 && (query.one || extents.length === 2 * MAX_EXTENTS)) {
      left = 0;
      return false;
    }
    const taken = Math.min(length, left);
    if (isSame) extents[last]! += taken;
    else extents.push(taken, flags);
    left -= taken;
    if (nrCalls === MAX_CALLS) left = 0;
    return left > 0;
  };
  const done = (): Extents => {
    if (extents.length === 0) throw new NbdError('EIO', `no extents are known in context ${context}`);
    return extents;
  };
  const waiting = served.blockStatus!(context, query.offset, query.length, add);
  return waiting === undefined ? done() : waiting.then(done);
}
