import { CorruptionError } from '../base/index.ts';
import { crc32cBytes } from '../format/index.ts';

/**
 * The stream of a volume, which `sendVolume` makes and `receiveVolume` takes. Little-endian. 8 bytes `PDVOLSTR`, then records of a head of 32 bytes and
 * a payload:
 *
 * | bytes | head |
 * | --- | --- |
 * | 0–3 | type: 1 begin, 2 data, 3 hole, 4 end |
 * | 4–7 | length of the payload |
 * | 8–15 | offset in the volume |
 * | 16–23 | length in the volume: of the data, or of a run that holds zeros |
 * | 24–27 | number of the record, from 0: none can be missing |
 * | 28–31 | CRC-32C of the 28 bytes before and the payload |
 *
 * The payload of `begin` is {@link StreamHead} as JSON; of `data` the bytes, of `hole` and `end` nothing. Offsets rise.
 */
export const RECORD = { begin: 1, data: 2, hole: 3, end: 4 } as const;

export type RecordType = (typeof RECORD)[keyof typeof RECORD];

/** Says what a stream is of. */
export interface StreamHead {
  readonly version: 1;
  readonly name: string;
  /** Of the content that is sent. */
  readonly uuid: string;
  readonly sizeBytes: number;
  /** The content that the differences are against; without it everything is sent that is not zeros. */
  readonly base?: { readonly name: string; readonly uuid: string };
  /** Where the stream goes on after an interruption; 0 for the beginning. */
  readonly from: number;
  /** Whether the same stream can be had again. */
  readonly resumable: boolean;
}

/** A record that was read and is whole. */
export interface StreamRecord {
  readonly type: RecordType;
  readonly offset: number;
  readonly length: number;
  readonly payload: Uint8Array;
}

const MAGIC = new TextEncoder().encode('PDVOLSTR');
const HEAD_BYTES = 32;
/** Data of one record. */
export const PAYLOAD_BYTES = 256 * 1024;
const MAX_PAYLOAD_BYTES = 1024 * 1024;

/** Makes the bytes of records, numbered. */
export class RecordWriter {
  #number = 0;

  begin(head: StreamHead): Uint8Array {
    const record = this.#record(RECORD.begin, 0, 0, new TextEncoder().encode(JSON.stringify(head)));
    const bytes = new Uint8Array(MAGIC.length + record.length);
    bytes.set(MAGIC);
    bytes.set(record, MAGIC.length);
    return bytes;
  }

  data(offset: number, bytes: Uint8Array): Uint8Array {
    return this.#record(RECORD.data, offset, bytes.length, bytes);
  }

  hole(offset: number, length: number): Uint8Array {
    return this.#record(RECORD.hole, offset, length, new Uint8Array(0));
  }

  end(sizeBytes: number): Uint8Array {
    return this.#record(RECORD.end, sizeBytes, 0, new Uint8Array(0));
  }

  #record(type: RecordType, offset: number, length: number, payload: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(HEAD_BYTES + payload.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, type, true);
    view.setUint32(4, payload.length, true);
    setU64(view, 8, offset);
    setU64(view, 16, length);
    view.setUint32(24, this.#number++, true);
    bytes.set(payload, HEAD_BYTES);
    view.setUint32(28, checksum(bytes), true);
    return bytes;
  }
}

/** Reads records out of bytes that come in any pieces. Memory: one record. */
export class RecordReader {
  #pieces: Uint8Array[] = [];
  #length = 0;
  #number = 0;
  #hasMagic = false;

  /**
   * Takes bytes and answers the records that are whole now. Payloads are the reader's own memory.
   * @throws {CorruptionError} when these are no records of a stream, or damaged ones.
   */
  *take(piece: Uint8Array): Generator<StreamRecord, void> {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (!this.#hasMagic) {
      if (this.#length < MAGIC.length) return;
      const magic = this.#cut(MAGIC.length);
      if (!magic.every((byte, i) => byte === MAGIC[i])) throw new CorruptionError('Cannot read stream: this is none');
      this.#hasMagic = true;
    }
    for (;;) {
      if (this.#length < HEAD_BYTES) return;
      const head = this.#peek(HEAD_BYTES);
      const payloadBytes = viewOf(head).getUint32(4, true);
      if (payloadBytes > MAX_PAYLOAD_BYTES) throw damaged(this.#number, 'its payload is too long');
      if (this.#length < HEAD_BYTES + payloadBytes) return;
      yield this.#read(this.#cut(HEAD_BYTES + payloadBytes));
    }
  }

  #read(bytes: Uint8Array): StreamRecord {
    const view = viewOf(bytes);
    if (view.getUint32(28, true) !== checksum(bytes)) throw damaged(this.#number, 'its checksum is wrong');
    const number = view.getUint32(24, true);
    if (number !== this.#number) throw damaged(this.#number, `record ${number} stands in its place`);
    this.#number += 1;
    const type = view.getUint32(0, true);
    if (type < RECORD.begin || type > RECORD.end) throw damaged(number, `it is of type ${type}`);
    const [offset, length] = [getU64(view, 8), getU64(view, 16)];
    if (!Number.isSafeInteger(offset + length)) throw damaged(number, 'its offset is out of all bounds');
    return { type: type as RecordType, offset, length, payload: bytes.subarray(HEAD_BYTES) };
  }

  /** The first bytes, in one piece. */
  #peek(length: number): Uint8Array {
    if (this.#pieces[0]!.length < length) {
      const joined = new Uint8Array(this.#length);
      let at = 0;
      for (const piece of this.#pieces) {
        joined.set(piece, at);
        at += piece.length;
      }
      this.#pieces = [joined];
    }
    return this.#pieces[0]!.subarray(0, length);
  }

  #cut(length: number): Uint8Array {
    const bytes = this.#peek(length);
    this.#length -= length;
    const rest = this.#pieces[0]!.subarray(length);
    if (rest.length > 0) this.#pieces[0] = rest;
    else this.#pieces.shift();
    return bytes;
  }
}

/** The head of a stream, out of its first record. @throws {CorruptionError} when it is none. */
export function parseHead({ type, payload }: StreamRecord): StreamHead {
  if (type !== RECORD.begin) throw new CorruptionError('Cannot read stream: it does not begin with its head');
  let head: StreamHead;
  try {
    head = JSON.parse(new TextDecoder().decode(payload)) as StreamHead;
  } catch (cause) {
    throw new CorruptionError('Cannot read stream: its head is no JSON', {}, { cause });
  }
  const { version, uuid, sizeBytes, from, base } = head;
  const isSize = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  const isKnown = version === 1 && typeof uuid === 'string' && uuid.length <= 36 && isSize(sizeBytes) && isSize(from);
  if (isKnown && (base === undefined || typeof base.uuid === 'string')) return head;
  throw new CorruptionError(`Cannot read stream: its head is not one of version 1`);
}

function damaged(number: number, text: string): CorruptionError {
  return new CorruptionError(`Cannot read stream: record ${number} is damaged: ${text}`);
}

function checksum(record: Uint8Array): number {
  return crc32cBytes(record.subarray(HEAD_BYTES), crc32cBytes(record.subarray(0, 28))) >>> 0;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, value / 2 ** 32, true);
}

function getU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}
