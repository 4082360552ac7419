import type { Slab } from '../base/index.ts';
import { MAX_VALUE_SIZE } from '../format/index.ts';
import { type Codec, refuseValue } from './codec.ts';

/** Named fields, each with its codec, or with fields of its own. */
export interface Fields {
  readonly [name: string]: Codec<unknown> | Fields;
}

/** What a value is made of: a codec, or an object of named fields, which stands for {@link struct} of them. */
export type CodecSpec = Codec<unknown> | Fields;

/** The type of the values that a {@link CodecSpec} describes. */
export type SpecValue<S> =
  S extends Codec<infer V> ? V : S extends Fields ? { [Name in keyof S]: SpecValue<S[Name]> } : never;

/** Whether a spec is a codec already. */
function isCodec(spec: CodecSpec): spec is Codec<unknown> {
  return typeof (spec as Codec<unknown>).schema === 'string' && typeof (spec as Codec<unknown>).read === 'function';
}

/** The codec that a spec stands for. */
export function codecOf<S extends CodecSpec>(spec: S): Codec<SpecValue<S>> {
  if (typeof spec !== 'object' || spec === null) throw new TypeError(`Cannot use a ${typeof spec} as a codec`);
  return (isCodec(spec) ? spec : struct(spec)) as Codec<SpecValue<S>>;
}

interface Field {
  readonly name: string;
  readonly codec: Codec<unknown>;
  /** Bytes from the struct's beginning. */
  readonly offset: number;
}

function fieldsOf(fields: Fields): Field[] {
  let offset = 0;
  return Object.entries(fields).map(([name, spec]) => {
    if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) || name === '__proto__') {
      throw new TypeError(`Cannot make a struct: "${name}" is no field name, an identifier is wanted`);
    }
    const codec = codecOf(spec);
    const field = { name, codec, offset };
    offset += codec.size;
    return field;
  });
}

/** Says in which field a value was refused. */
function inField(name: string, error: unknown): unknown {
  if (error instanceof RangeError || error instanceof TypeError) error.message = `${name}: ${error.message}`;
  return error;
}

/**
 * An object of named fields, one after the other without gaps, in the order in which they are given.
 *
 * @example
 * ```ts
 * const item = struct({ count: u32, price: u64, size: { width: u16, height: u16 } });
 * ```
 * @throws {RangeError} when all fields together take more than 1346 bytes.
 */
export function struct<F extends Fields>(fields: F): Codec<SpecValue<F>> {
  const list = fieldsOf(fields);
  const size = list.reduce((sum, { codec }) => sum + codec.size, 0);
  checkStructSize('struct', size);
  const schema = `{${list.map(({ name, codec }) => `${name}:${codec.schema}`).join(',')}}`;
  const readInto = (slab: Slab, at: number, into: Record<string, unknown>): Record<string, unknown> => {
    for (let i = 0; i < list.length; i++) {
      const { name, codec, offset } = list[i]!;
      const inner = into[name];
      if (codec.readInto !== undefined && inner !== undefined) codec.readInto(slab, at + offset, inner);
      else into[name] = codec.read(slab, at + offset);
    }
    return into;
  };
  const codec: Codec<Record<string, unknown>> = {
    name: schema,
    schema,
    size,
    read: (slab, at) => readInto(slab, at, {}),
    readInto,
    write: (slab, at, value) => {
      if (typeof value !== 'object' || value === null) refuseValue(schema, value, false, 'an object of these fields');
      for (let i = 0; i < list.length; i++) {
        const { name, codec, offset } = list[i]!;
        try {
          codec.write(slab, at + offset, value[name]);
        } catch (error) {
          throw inField(name, error);
        }
      }
    },
  };
  return codec as Codec<SpecValue<F>>;
}

/**
 * Exactly `length` values of one codec.
 * @throws {RangeError} when all together take more than 1346 bytes.
 */
export function arrayOf<S extends CodecSpec>(element: S, length: number): Codec<SpecValue<S>[]> {
  const codec = codecOf(element);
  if (!(Number.isInteger(length) && length >= 1)) {
    throw new RangeError(`Cannot make a codec of ${length} values: an integer of at least 1 is wanted`);
  }
  const size = codec.size * length;
  checkStructSize('array', size);
  const schema = `${codec.schema}[${length}]`;
  return {
    name: schema,
    schema,
    size,
    read: (slab, at) => Array.from({ length }, (_, i) => codec.read(slab, at + i * codec.size)),
    write: (slab, at, value) => {
      if (!Array.isArray(value)) refuseValue(schema, value, false, 'an array');
      if (value.length !== length) refuseValue(schema, `${value.length} values`, true, `exactly ${length} values`);
      for (let i = 0; i < length; i++) {
        try {
          codec.write(slab, at + i * codec.size, value[i]!);
        } catch (error) {
          throw inField(`[${i}]`, error);
        }
      }
    },
  };
}

function checkStructSize(what: string, size: number): void {
  if (size >= 1 && size <= MAX_VALUE_SIZE) return;
  throw new RangeError(
    `Cannot make a ${what}: its fields take ${size} bytes, 1 to ${MAX_VALUE_SIZE} are possible in one value`,
  );
}
