/** Messages of an NBD client, as bytes: right ones, and with little effort wrong ones. */

/** A text, bytes, or a number with its size in bytes. */
export type BytesPart = string | Uint8Array | readonly [value: number | bigint, size: 1 | 2 | 4 | 8];

/** Bytes of numbers and texts, one after the other: `[value, size]` is big-endian, `size` bytes. */
export function bytesOf(...parts: readonly BytesPart[]): Uint8Array {
  const all = parts.map((part) => {
    if (typeof part === 'string') return new TextEncoder().encode(part);
    if (part instanceof Uint8Array) return part;
    const [value, size] = part;
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)));
    return bytes.subarray(8 - size);
  });
  const result = new Uint8Array(all.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of all) {
    result.set(part, at);
    at += part.byteLength;
  }
  return result;
}

/** An option with its data. */
export function nbdOption(option: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  return bytesOf('IHAVEOPT', [option, 4], [data.byteLength, 4], data);
}

/** Data of INFO and GO. */
export function nbdInfoData(name: string, infos: readonly number[] = []): Uint8Array {
  return bytesOf(nbdString(name), [infos.length, 2], ...infos.map((info) => [info, 2] as const));
}

/** Data of LIST_META_CONTEXT and SET_META_CONTEXT. */
export function nbdContextData(name: string, queries: readonly string[]): Uint8Array {
  return bytesOf(nbdString(name), [queries.length, 4], ...queries.map(nbdString));
}

/** A text behind its length. */
export function nbdString(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return bytesOf([bytes.byteLength, 4], bytes);
}

export interface NbdRequestFields {
  readonly type: number;
  readonly flags?: number;
  readonly cookie?: number | bigint;
  readonly offset?: number | bigint;
  readonly length?: number | bigint;
  readonly payload?: Uint8Array;
  /** With extended headers: 32 bytes instead of 28. */
  readonly extended?: boolean;
}

/** A request with its payload; the length is the payload's unless it is given. */
export function nbdRequest(fields: NbdRequestFields): Uint8Array {
  const { type, flags = 0, cookie = 1, offset = 0, payload = new Uint8Array(0), extended = false } = fields;
  const length = fields.length ?? payload.byteLength;
  const head = [
    [extended ? 0x21e41c71 : 0x25609513, 4],
    [flags, 2],
    [type, 2],
    [cookie, 8],
    [offset, 8],
  ] as const;
  return bytesOf(...head, [length, extended ? 8 : 4], payload);
}
