/** The data of options, as clients send it: parsed with every length checked before it is believed. */

import { BOUNDS } from './protocol.ts';
import { getU16, getU32 } from './wire.ts';

/** Option data that is not what it should be. The text is for the client. */
export class OptionDataError extends Error {
  override readonly name = 'OptionDataError';
  /** Whether it is well-formed but more than is accepted. */
  readonly tooBig: boolean;

  constructor(message: string, tooBig = false) {
    super(message);
    this.tooBig = tooBig;
  }
}

/** Most queries in one option: more are refused as too big. */
const MAX_QUERIES = 64;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A string of the protocol.
 *
 * @throws {OptionDataError} when it is longer than 4096 bytes, not UTF-8, or has a NUL.
 */
export function decodeString(bytes: Uint8Array, what: string): string {
  if (bytes.byteLength > BOUNDS.stringBytes) {
    throw new OptionDataError(`${what} has ${bytes.byteLength} bytes, at most ${BOUNDS.stringBytes} are allowed`);
  }
  if (bytes.includes(0)) throw new OptionDataError(`${what} contains NUL`);
  try {
    return decoder.decode(bytes);
  } catch {
    throw new OptionDataError(`${what} is not UTF-8`);
  }
}

/** Data of INFO and GO. */
export interface InfoRequest {
  readonly name: string;
  /** Numbers of the information that is wanted; may be unknown ones. */
  readonly infos: ReadonlySet<number>;
}

/** @throws {OptionDataError} when it is malformed. */
export function parseInfoRequest(data: Uint8Array): InfoRequest {
  if (data.byteLength < 6) throw new OptionDataError(`data has ${data.byteLength} bytes, at least 6 are needed`);
  const nameLength = getU32(data, 0);
  if (nameLength > data.byteLength - 6) throw new OptionDataError(`name length ${nameLength} exceeds the data`);
  const name = decodeString(data.subarray(4, 4 + nameLength), 'export name');
  const count = getU16(data, 4 + nameLength);
  const begin = 6 + nameLength;
  if (data.byteLength - begin !== 2 * count) {
    throw new OptionDataError(
      `${count} information requests need ${2 * count} bytes, found ${data.byteLength - begin}`,
    );
  }
  const infos = new Set<number>();
  for (let i = 0; i < count; i += 1) infos.add(getU16(data, begin + 2 * i));
  return { name, infos };
}

/** Data of LIST_META_CONTEXT and SET_META_CONTEXT. */
export interface MetaQueries {
  readonly name: string;
  readonly queries: readonly string[];
}

/** @throws {OptionDataError} when it is malformed, or has more than 64 queries. */
export function parseMetaQueries(data: Uint8Array): MetaQueries {
  const length = data.byteLength;
  if (length < 8) throw new OptionDataError(`data has ${length} bytes, at least 8 are needed`);
  const nameLength = getU32(data, 0);
  if (nameLength > length - 8) throw new OptionDataError(`name length ${nameLength} exceeds the data`);
  const name = decodeString(data.subarray(4, 4 + nameLength), 'export name');
  const count = getU32(data, 4 + nameLength);
  let at = 8 + nameLength;
  if (count > (length - at) / 4) throw new OptionDataError(`${count} queries exceed the data`);
  if (count > MAX_QUERIES) throw new OptionDataError(`${count} queries, at most ${MAX_QUERIES} are accepted`, true);
  const queries: string[] = [];
  for (let i = 0; i < count; i += 1) {
    if (length - at < 4) throw new OptionDataError('a query is cut off');
    const queryLength = getU32(data, at);
    at += 4;
    if (queryLength > length - at) throw new OptionDataError(`query length ${queryLength} exceeds the data`);
    queries.push(decodeString(data.subarray(at, at + queryLength), 'query'));
    at += queryLength;
  }
  if (at !== length) throw new OptionDataError(`${length - at} bytes are left over after the queries`);
  return { name, queries };
}

/**
 * Whether a query of LIST_META_CONTEXT shows a context: the exact name, or one that ends in `:`, which asks for all whose names
 * begin so. In SET_META_CONTEXT only exact names select.
 */
export function queryShows(query: string, context: string): boolean {
  return query === context || (query.endsWith(':') && context.startsWith(query));
}
