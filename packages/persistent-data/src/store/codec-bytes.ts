import { MAX_VALUE_SIZE } from '../format/index.ts';
import { type Codec, refuseValue } from './codec.ts';

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

function checkSize(what: string, size: number): void {
  if (Number.isInteger(size) && size >= 1 && size <= MAX_VALUE_SIZE) return;
  throw new RangeError(`Cannot make a codec ${what}(${size}): an integer from 1 to ${MAX_VALUE_SIZE} is wanted`);
}

/**
 * Exactly `size` bytes, 1 to 1346. `get` answers a copy of them.
 * @throws {RangeError} when the size is none; a value of another length is refused when it is written.
 */
export function bytes(size: number): Codec<Uint8Array> {
  checkSize('bytes', size);
  const schema = `bytes(${size})`;
  return {
    name: schema,
    schema,
    size,
    read: (slab, at) => slab.bytes.slice(at, at + size),
    readInto: (slab, at, into) => {
      into.set(slab.bytes.subarray(at, at + size));
      return into;
    },
    write: (slab, at, value) => {
      if (!(value instanceof Uint8Array)) refuseValue(schema, value, false, 'a Uint8Array');
      if (value.length !== size) refuseValue(schema, `${value.length} bytes`, true, `exactly ${size} bytes`);
      slab.bytes.set(value, at);
    },
  };
}

/**
 * A string of at most `size` bytes in UTF-8, 1 to 1346; what is left over is filled with zero bytes. So it can hold no NUL at its end, and
 * none is taken anywhere.
 * @throws {RangeError} when the size is none; a string that is longer is refused when it is written.
 */
export function str(size: number): Codec<string> {
  checkSize('str', size);
  const schema = `str(${size})`;
  return {
    name: schema,
    schema,
    size,
    read: (slab, at) => {
      const field = slab.bytes.subarray(at, at + size);
      const end = field.indexOf(0);
      return DECODER.decode(end < 0 ? field : field.subarray(0, end));
    },
    write: (slab, at, value) => {
      if (typeof value !== 'string') refuseValue(schema, value, false, 'a string');
      if (value.includes('\0')) refuseValue(schema, value, true, 'a string without NUL');
      if (/\p{Surrogate}/u.test(value)) refuseValue(schema, value, true, 'well-formed Unicode');
      const field = slab.bytes.subarray(at, at + size);
      const { read, written } = ENCODER.encodeInto(value, field);
      if (read < value.length) refuseValue(schema, value, true, `at most ${size} bytes of UTF-8`);
      field.fill(0, written);
    },
  };
}
