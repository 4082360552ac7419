import { ProtocolError, StateError, UnsupportedError } from '../base/index.ts';
import type { ClientOptions, OptionAnswer } from './client-options.ts';
import type { NbdBlockSize } from './export.ts';
import { encodeBounded } from './nbd-error.ts';
import { decodeString, OptionDataError } from './option-data.ts';
import { BOUNDS, INFOS, OPTIONS, REPLIES } from './protocol.ts';
import { getU16, getU32, getU64, putU16, putU32 } from './wire.ts';

/** What client and server agreed on. */
export interface ClientAgreement {
  /** Bytes. */
  readonly size: number;
  readonly transmissionFlags: number;
  readonly description: string | undefined;
  /** As the server said; `undefined` when it did not. */
  readonly blockSize: NbdBlockSize | undefined;
  readonly structured: boolean;
  readonly extended: boolean;
  /** Selected contexts, by their ids. */
  readonly contexts: ReadonlyMap<number, string>;
}

export interface ClientWishes {
  readonly name: string;
  /** Metadata contexts; those that the server lacks are left out. */
  readonly contexts: readonly string[];
  readonly structured: boolean;
  readonly extended: boolean;
}

/** An export in a server's list. */
export interface ListedExport {
  readonly name: string;
  readonly description: string;
}

/**
 * Negotiates the use of an export.
 *
 * @throws {StateError} when there is none of that name.
 * @throws {UnsupportedError} when the server refuses, or its export is larger than 2^53 - 1 bytes.
 * @throws {ProtocolError} when the server breaks the protocol.
 */
export async function negotiate(options: ClientOptions, wishes: ClientWishes): Promise<ClientAgreement> {
  const extended = wishes.extended && isAccepted(await options.ask(OPTIONS.extendedHeaders));
  const structured = extended || (wishes.structured && isAccepted(await options.ask(OPTIONS.structuredReply)));
  const contexts = structured ? await selectContexts(options, wishes) : new Map<number, string>();
  const answer = await options.ask(OPTIONS.go, infoData(wishes.name));
  const form = { structured, extended };
  if (answer.final.type === REPLIES.errUnsup && !extended) {
    const { final } = await options.ask(OPTIONS.exportName, encodeBounded(wishes.name));
    const basic = sizeAndFlags(final.data, 0);
    return { ...basic, description: undefined, blockSize: undefined, ...form, contexts };
  }
  needAccepted(answer, `use the export ${JSON.stringify(wishes.name)}`);
  return { ...parseInfos(answer), ...form, contexts };
}

/** The exports that a server shows. @throws as {@link negotiate}. */
export async function listExports(options: ClientOptions): Promise<ListedExport[]> {
  const answer = await options.ask(OPTIONS.list);
  needAccepted(answer, 'list the exports');
  // A farewell that nobody hears does no harm.
  await options.ask(OPTIONS.abort).catch(() => {});
  return answer.before.map(({ type, data }) => {
    const length = data.byteLength < 4 ? -1 : getU32(data, 0);
    if (type !== REPLIES.server || length < 0 || length > data.byteLength - 4)
      throw broken('a line of the list is malformed');
    return { name: text(data.subarray(4, 4 + length)), description: text(data.subarray(4 + length)) };
  });
}

/** Asks for TLS. @throws {UnsupportedError} when the server has none: never go on without what was wanted. */
export async function requestTls(options: ClientOptions): Promise<void> {
  needAccepted(await options.ask(OPTIONS.starttls), 'use TLS');
}

async function selectContexts(options: ClientOptions, wishes: ClientWishes): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  if (wishes.contexts.length === 0) return found;
  const answer = await options.ask(OPTIONS.setMetaContext, queryData(wishes));
  if (!isAccepted(answer)) return found;
  for (const { type, data } of answer.before) {
    if (type !== REPLIES.metaContext || data.byteLength < 4) throw broken('a metadata context is malformed');
    const name = text(data.subarray(4));
    if (!wishes.contexts.includes(name)) throw broken('a metadata context was not asked for');
    found.set(getU32(data, 0), name);
  }
  return found;
}

function infoData(name: string): Uint8Array {
  const bytes = encodeBounded(name);
  const data = new Uint8Array(6 + bytes.byteLength + 4);
  putU32(data, 0, bytes.byteLength);
  data.set(bytes, 4);
  const at = 4 + bytes.byteLength;
  putU16(data, at, 2);
  putU16(data, at + 2, INFOS.blockSize);
  putU16(data, at + 4, INFOS.description);
  return data;
}

function queryData({ name, contexts }: ClientWishes): Uint8Array {
  const strings = [name, ...contexts].map((string) => encodeBounded(string));
  const parts = strings.flatMap((string, i) => {
    const head = new Uint8Array(4);
    putU32(head, 0, string.byteLength);
    if (i > 0) return [head, string];
    const count = new Uint8Array(4);
    putU32(count, 0, contexts.length);
    return [head, string, count];
  });
  return Buffer.concat(parts);
}

function parseInfos({ before }: OptionAnswer): Omit<ClientAgreement, 'structured' | 'extended' | 'contexts'> {
  let basic: { size: number; transmissionFlags: number } | undefined;
  let description: string | undefined;
  let blockSize: NbdBlockSize | undefined;
  for (const { type, data } of before) {
    if (type !== REPLIES.info || data.byteLength < 2) throw broken('an answer to GO is malformed');
    const info = getU16(data, 0);
    if (info === INFOS.export) basic = sizeAndFlags(data, 2);
    else if (info === INFOS.description) description = text(data.subarray(2));
    else if (info === INFOS.blockSize) blockSize = parseBlockSize(data);
  }
  if (basic === undefined) throw broken('the size is missing in the answer to GO');
  return { ...basic, description, blockSize };
}

function sizeAndFlags(data: Uint8Array, at: number): { size: number; transmissionFlags: number } {
  if (data.byteLength !== at + 10) throw broken('size and flags are malformed');
  const size = getU64(data, at);
  if (size > BOUNDS.exportBytes)
    throw new UnsupportedError(`Cannot use the export: it has ${size} bytes, at most 2^53 - 1 are supported`);
  return { size, transmissionFlags: getU16(data, at + 8) };
}

function parseBlockSize(data: Uint8Array): NbdBlockSize {
  if (data.byteLength !== 14) throw broken('block sizes are malformed');
  const [min, preferred, max] = [getU32(data, 2), getU32(data, 6), getU32(data, 10)];
  const isPower = (value: number) => Number.isInteger(Math.log2(value));
  if (!isPower(min) || min > 65536 || !isPower(preferred) || preferred < min || max < min) {
    throw broken(`block sizes are ${min}, ${preferred} and ${max}`);
  }
  return { min, preferred, max };
}

function isAccepted({ final }: OptionAnswer): boolean {
  return final.type === REPLIES.ack;
}

function needAccepted(answer: OptionAnswer, action: string): void {
  if (isAccepted(answer)) return;
  const { type, data } = answer.final;
  const name = Object.entries(REPLIES).find(([, number]) => number === type)?.[0] ?? `error 0x${type.toString(16)}`;
  const said =
    data.byteLength > 0 && data.byteLength <= BOUNDS.stringBytes ? `: ${Buffer.from(data).toString('utf8')}` : '';
  const message = `Cannot ${action}: the server answered ${name}${said}`;
  throw type === REPLIES.errUnknown ? new StateError(message) : new UnsupportedError(message);
}

function text(bytes: Uint8Array): string {
  try {
    return decodeString(bytes, 'a string of the server');
  } catch (cause) {
    if (cause instanceof OptionDataError) throw broken(cause.message);
    throw cause;
  }
}

function broken(message: string): ProtocolError {
  return new ProtocolError(`Cannot negotiate: ${message}`);
}
