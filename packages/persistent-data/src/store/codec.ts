import { joinKey, type Slab, type U64 } from '../base/index.ts';
import type { ValueType } from '../btree/index.ts';

/**
 * How values of a collection lie on the disk: a fixed number of bytes, little-endian, packed. Two codecs are interchangeable if their
 * {@link schema} texts are equal; a collection is opened only with the schema that it was made with.
 */
export interface Codec<V> extends ValueType<V> {
  /** The codec as text, `u32`, `str(16)` or `{count:u32,price:u64}`: kept in the store. */
  readonly schema: string;
  /** Reads into an object of the caller's where the codec makes objects, and does not allocate one. */
  readInto?(slab: Slab, at: number, into: V): V;
}

/** The type of the values of a codec. */
export type ValueOf<C> = C extends Codec<infer V> ? V : never;

function describe(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** @throws {TypeError | RangeError} always: the value is of the wrong type, or out of range. */
export function refuseValue(name: string, value: unknown, rightType: boolean, wanted: string): never {
  const message = `Cannot store ${rightType ? describe(value) : `a value of type ${typeof value}`} as ${name}: ${wanted} is wanted`;
  throw rightType ? new RangeError(message) : new TypeError(message);
}

interface Scalar<V> {
  readonly schema: string;
  readonly size: number;
  read(view: DataView, at: number): V;
  write(view: DataView, at: number, value: V): void;
}

/** Values need not be aligned, so they go through the slab's `DataView`: as fast as typed arrays since V8 inlines both. */
function scalar<V>({ schema, size, read, write }: Scalar<V>): Codec<V> {
  return {
    name: schema,
    schema,
    size,
    read: (slab, at) => read(slab.view, at),
    write: (slab, at, value) => write(slab.view, at, value),
  };
}

/** An integer of up to 32 bits. */
function integer(schema: string, min: number, max: number, access: Pick<Scalar<number>, 'size' | 'read' | 'write'>) {
  const { size, read, write } = access;
  return scalar<number>({
    schema,
    size,
    read,
    write: (view, at, value) => {
      if (!(Number.isInteger(value) && value >= min && value <= max)) {
        refuseValue(schema, value, typeof value === 'number', `an integer from ${min} to ${max}`);
      }
      write(view, at, value);
    },
  });
}

/** An unsigned integer of 8 bits. */
export const u8 = integer('u8', 0, 0xff, {
  size: 1,
  read: (view, at) => view.getUint8(at),
  write: (view, at, value) => view.setUint8(at, value),
});

/** An unsigned integer of 16 bits. */
export const u16 = integer('u16', 0, 0xffff, {
  size: 2,
  read: (view, at) => view.getUint16(at, true),
  write: (view, at, value) => view.setUint16(at, value, true),
});

/** An unsigned integer of 32 bits. */
export const u32 = integer('u32', 0, 0xffff_ffff, {
  size: 4,
  read: (view, at) => view.getUint32(at, true),
  write: (view, at, value) => view.setUint32(at, value, true),
});

/** A signed integer of 8 bits. */
export const i8 = integer('i8', -0x80, 0x7f, {
  size: 1,
  read: (view, at) => view.getInt8(at),
  write: (view, at, value) => view.setInt8(at, value),
});

/** A signed integer of 16 bits. */
export const i16 = integer('i16', -0x8000, 0x7fff, {
  size: 2,
  read: (view, at) => view.getInt16(at, true),
  write: (view, at, value) => view.setInt16(at, value, true),
});

/** A signed integer of 32 bits. */
export const i32 = integer('i32', -0x8000_0000, 0x7fff_ffff, {
  size: 4,
  read: (view, at) => view.getInt32(at, true),
  write: (view, at, value) => view.setInt32(at, value, true),
});

/** An unsigned integer of 64 bits: read as a `number` up to 2^53 - 1, above as a `bigint`; either is taken. */
export const u64: Codec<U64> = scalar<U64>({
  schema: 'u64',
  size: 8,
  read: (view, at) => joinKey(view.getUint32(at + 4, true), view.getUint32(at, true)),
  write: (view, at, value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) {
      view.setUint32(at, value >>> 0, true);
      view.setUint32(at + 4, value / 0x1_0000_0000, true);
    } else if (typeof value === 'bigint' && value >= 0n && value <= 0xffff_ffff_ffff_ffffn) {
      view.setBigUint64(at, value, true);
    } else {
      const rightType = typeof value === 'number' || typeof value === 'bigint';
      refuseValue('u64', value, rightType, 'an integer from 0 to 2^53 - 1, or a bigint to 2^64 - 1,');
    }
  },
});

/** A signed integer of 64 bits: read as a `number` where it is a safe integer, else as a `bigint`; either is taken. */
export const i64: Codec<U64> = scalar<U64>({
  schema: 'i64',
  size: 8,
  read: (view, at) => {
    const high = view.getInt32(at + 4, true);
    if (high >= -0x20_0000 && high < 0x20_0000) {
      const value = high * 0x1_0000_0000 + view.getUint32(at, true);
      if (value >= Number.MIN_SAFE_INTEGER) return value;
    }
    return view.getBigInt64(at, true);
  },
  write: (view, at, value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value)) {
      view.setUint32(at, value >>> 0, true);
      view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), true);
    } else if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) {
      view.setBigInt64(at, value, true);
    } else {
      const rightType = typeof value === 'number' || typeof value === 'bigint';
      refuseValue('i64', value, rightType, 'a safe integer, or a bigint from -2^63 to 2^63 - 1,');
    }
  },
});

function float(schema: string, access: Pick<Scalar<number>, 'size' | 'read' | 'write'>): Codec<number> {
  const { size, read, write } = access;
  return scalar<number>({
    schema,
    size,
    read,
    write: (view, at, value) => {
      if (typeof value !== 'number') refuseValue(schema, value, false, 'a number');
      write(view, at, value);
    },
  });
}

/** A floating-point number of 32 bits; what is stored is rounded to it. */
export const f32 = float('f32', {
  size: 4,
  read: (view, at) => view.getFloat32(at, true),
  write: (view, at, value) => view.setFloat32(at, value, true),
});

/** A floating-point number of 64 bits: any JavaScript number. */
export const f64 = float('f64', {
  size: 8,
  read: (view, at) => view.getFloat64(at, true),
  write: (view, at, value) => view.setFloat64(at, value, true),
});

/** `true` or `false`, in one byte. */
export const bool: Codec<boolean> = scalar<boolean>({
  schema: 'bool',
  size: 1,
  read: (view, at) => view.getUint8(at) !== 0,
  write: (view, at, value) => {
    if (typeof value !== 'boolean') refuseValue('bool', value, false, 'true or false');
    view.setUint8(at, value ? 1 : 0);
  },
});

/** A `Date`, in whole milliseconds; 8 bytes. */
export const date: Codec<Date> = scalar<Date>({
  schema: 'date',
  size: 8,
  read: (view, at) => new Date(view.getFloat64(at, true)),
  write: (view, at, value) => {
    if (!(value instanceof Date)) refuseValue('date', value, false, 'a Date');
    const ms = value.getTime();
    if (Number.isNaN(ms)) refuseValue('date', value, true, 'a valid Date');
    view.setFloat64(at, ms, true);
  },
});
