import { CorruptionError } from '../base/index.ts';
import type { CollectionKind } from './catalogue.ts';
import { bool, type Codec, date, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64 } from './codec.ts';
import { bytes, str } from './codec-bytes.ts';
import { arrayOf, type Fields, struct } from './codec-struct.ts';

const SCALARS = new Map<string, Codec<unknown>>(
  [u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, bool, date].map((codec) => [codec.schema, codec as Codec<unknown>]),
);
/** Structs in structs, no deeper: what is deeper was not written by this library in any sane program. */
const MAX_DEPTH = 32;

/** Reads the text of a codec, as `Codec.schema` has it. @throws {CorruptionError} when it is none. */
export function parseCodec(text: string): Codec<unknown> {
  const parser = new CodecParser(text);
  const codec = parser.codec(0);
  parser.end();
  return codec;
}

/** What a collection's schema says. */
export interface ParsedSchema {
  readonly kind: CollectionKind;
  /** Of a tree. */
  readonly levels: number;
  /** Absent for a bitset. */
  readonly codec: Codec<unknown> | undefined;
}

/** Reads a collection's schema: `tree keys=2 value=u64`, `array value=u64` or `bitset`. @throws {CorruptionError} when it is none. */
export function parseSchema(schema: string): ParsedSchema {
  const found = /^(tree|array|bitset)(?: keys=([1-8]))?(?: value=(.+))?$/.exec(schema);
  if (found === null) throw wrong(schema, 0);
  const [, kind, levels, value] = found;
  return {
    kind: kind as CollectionKind,
    levels: Number(levels ?? 1),
    codec: value === undefined ? undefined : parseCodec(value),
  };
}

function wrong(text: string, at: number): CorruptionError {
  const message = `Cannot read schema "${text}": ${at < text.length ? `"${text[at]}" at ${at}` : 'its end'} is not expected`;
  return new CorruptionError(message, { kind: 'store_name', field: 'schema', found: text });
}

class CodecParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  codec(depth: number): Codec<unknown> {
    if (depth > MAX_DEPTH) throw wrong(this.#text, this.#at);
    let codec = this.#take('{') ? this.#struct(depth) : this.#plain();
    while (this.#take('[')) {
      codec = this.#made(() => arrayOf(codec, this.#number())) as Codec<unknown>;
      this.#want(']');
    }
    return codec;
  }

  end(): void {
    if (this.#at < this.#text.length) throw wrong(this.#text, this.#at);
  }

  #struct(depth: number): Codec<unknown> {
    const fields: Record<string, Codec<unknown>> = {};
    do {
      const name = this.#word();
      this.#want(':');
      fields[name] = this.codec(depth + 1);
    } while (this.#take(','));
    this.#want('}');
    return this.#made(() => struct(fields as Fields)) as Codec<unknown>;
  }

  #plain(): Codec<unknown> {
    const name = this.#word();
    const scalar = SCALARS.get(name);
    if (scalar !== undefined) return scalar;
    if (name !== 'str' && name !== 'bytes') throw wrong(this.#text, this.#at);
    this.#want('(');
    const size = this.#number();
    this.#want(')');
    return this.#made(() => (name === 'str' ? str(size) : bytes(size)));
  }

  /** A size that no codec can have is a damaged text. */
  #made<T>(make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (error instanceof RangeError || error instanceof TypeError) throw wrong(this.#text, this.#at);
      throw error;
    }
  }

  #take(mark: string): boolean {
    if (this.#text[this.#at] !== mark) return false;
    this.#at++;
    return true;
  }

  #want(mark: string): void {
    if (!this.#take(mark)) throw wrong(this.#text, this.#at);
  }

  #word(): string {
    return this.#match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/uy);
  }

  #number(): number {
    return Number(this.#match(/[1-9][0-9]{0,4}/y));
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) throw wrong(this.#text, this.#at);
    this.#at += found.length;
    return found;
  }
}
