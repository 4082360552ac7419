import { DEFAULT_BLOCK_SIZE, type NbdExport } from './export.ts';
import type { NamedExport } from './export-table.ts';
import { encodeBounded } from './nbd-error.ts';
import { IHAVEOPT, INFOS, NBDMAGIC, OPTION_REPLY_MAGIC, REPLIES, SIZES, TRANSMISSION_FLAGS } from './protocol.ts';
import { putU16, putU32, putU64 } from './wire.ts';

/** The server's greeting. */
export function greeting(handshakeFlags: number): Uint8Array {
  const bytes = new Uint8Array(SIZES.hello);
  for (const [i, word] of [...NBDMAGIC, ...IHAVEOPT].entries()) putU32(bytes, 4 * i, word);
  putU16(bytes, 16, handshakeFlags);
  return bytes;
}

/** A reply to an option, with its data: `parts` one after the other. */
export function optionReply(option: number, type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const bytes = new Uint8Array(SIZES.optionReply + length);
  putU32(bytes, 0, OPTION_REPLY_MAGIC[0]);
  putU32(bytes, 4, OPTION_REPLY_MAGIC[1]);
  putU32(bytes, 8, option);
  putU32(bytes, 12, type);
  putU32(bytes, 16, length);
  let at: number = SIZES.optionReply;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** A refusal of an option. The message is cut to what the protocol allows. */
export function optionError(option: number, type: number, message: string): Uint8Array {
  return optionReply(option, type, encodeBounded(message));
}

/** One line of the list of exports: name, and description if there is one. */
export function serverReply(option: number, entry: NamedExport): Uint8Array {
  const name = encodeBounded(entry.name);
  const length = new Uint8Array(4);
  putU32(length, 0, name.byteLength);
  return optionReply(option, REPLIES.server, length, name, encodeBounded(entry.export.description ?? ''));
}

/** One metadata context. */
export function contextReply(option: number, id: number, context: string): Uint8Array {
  const number = new Uint8Array(4);
  putU32(number, 0, id);
  return optionReply(option, REPLIES.metaContext, number, encodeBounded(context));
}

/** What was agreed on the form of replies. */
export interface ReplyForm {
  readonly structured: boolean;
  /** Implies `structured`. */
  readonly extended: boolean;
}

/** The transmission flags of an export. */
export function transmissionFlags(served: NbdExport, form: ReplyForm): number {
  const bit = TRANSMISSION_FLAGS;
  let flags = bit.hasFlags | bit.sendFlush | bit.sendFua;
  if (served.readOnly) flags |= bit.readOnly;
  else {
    if (served.trim !== undefined) flags |= bit.sendTrim;
    if (served.writeZeroes !== undefined) {
      flags |= bit.sendWriteZeroes;
      if (served.canFastZero === true) flags |= bit.sendFastZero;
    }
  }
  if (served.canMultiConn !== false) flags |= bit.canMultiConn;
  if (served.cache !== undefined) flags |= bit.sendCache;
  if (form.structured) flags |= bit.sendDf;
  if (form.extended && served.blockStatus !== undefined) flags |= bit.blockStatusPayload;
  return flags;
}

/** The replies to INFO and GO before the final one: the size always, the rest as far as it was asked for. */
export function infoReplies(
  option: number,
  entry: NamedExport,
  form: ReplyForm,
  wanted: ReadonlySet<number>,
): Uint8Array[] {
  const served = entry.export;
  const { min, preferred, max } = served.blockSize ?? DEFAULT_BLOCK_SIZE;
  const size = new Uint8Array(12);
  putU16(size, 0, INFOS.export);
  putU64(size, 2, served.size);
  putU16(size, 10, transmissionFlags(served, form));
  const replies = [optionReply(option, REPLIES.info, size)];
  const text = (info: number, value: string) => {
    const type = new Uint8Array(2);
    putU16(type, 0, info);
    replies.push(optionReply(option, REPLIES.info, type, encodeBounded(value)));
  };
  if (wanted.has(INFOS.name)) text(INFOS.name, entry.name);
  if (wanted.has(INFOS.description) && served.description !== undefined) text(INFOS.description, served.description);
  // Told also to those who did not ask, where not keeping to it would fail.
  if (wanted.has(INFOS.blockSize) || min > 1) {
    const sizes = new Uint8Array(14);
    putU16(sizes, 0, INFOS.blockSize);
    putU32(sizes, 2, min);
    putU32(sizes, 6, preferred);
    putU32(sizes, 10, max);
    replies.push(optionReply(option, REPLIES.info, sizes));
  }
  return replies;
}

/** The answer to EXPORT_NAME, which has no header; 124 zeroes follow unless the client agreed to go without. */
export function exportNameReply(entry: NamedExport, form: ReplyForm, noZeroes: boolean): Uint8Array {
  const bytes = new Uint8Array(noZeroes ? 10 : 134);
  putU64(bytes, 0, entry.export.size);
  putU16(bytes, 8, transmissionFlags(entry.export, form));
  return bytes;
}
