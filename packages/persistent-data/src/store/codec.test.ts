import { describe, expect, test } from 'vitest';
import { CorruptionError, Slab } from '../base/index.ts';
import { bool, type Codec, date, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64 } from './codec.ts';
import { bytes, str } from './codec-bytes.ts';
import { parseCodec, parseSchema } from './codec-parse.ts';
import { arrayOf, codecOf, struct } from './codec-struct.ts';

/** Writes at an odd place, reads back, and looks whether the bytes around are untouched. */
function roundTrip<V>(codec: Codec<V>, value: V): V {
  const slab = Slab.ofSize(2048);
  slab.bytes.fill(0xee);
  codec.write(slab, 3, value);
  expect(slab.bytes[2]).toBe(0xee);
  expect(slab.bytes[3 + codec.size]).toBe(0xee);
  return codec.read(slab, 3);
}

describe('scalars', () => {
  test.each([
    [u8, 0, 0xff],
    [u16, 0, 0xffff],
    [u32, 0, 0xffff_ffff],
    [i8, -0x80, 0x7f],
    [i16, -0x8000, 0x7fff],
    [i32, -0x8000_0000, 0x7fff_ffff],
  ] as const)('%o', (codec, min, max) => {
    expect([min, 0, 1, max].map((value) => roundTrip(codec, value))).toEqual([min, 0, 1, max]);
    for (const wrong of [min - 1, max + 1, 0.5, Number.NaN]) expect(() => roundTrip(codec, wrong)).toThrow(RangeError);
    expect(() => roundTrip(codec, '1' as never)).toThrow(TypeError);
  });

  test('integers of 64 bits are numbers where these are exact, else bigints', () => {
    const max = Number.MAX_SAFE_INTEGER;
    expect([0, 2 ** 32, max, 2n ** 53n, 2n ** 64n - 1n].map((value) => roundTrip(u64, value))).toEqual([
      0,
      2 ** 32,
      max,
      2n ** 53n,
      2n ** 64n - 1n,
    ]);
    expect([-1, -max, max, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)].map((value) => roundTrip(i64, value))).toEqual([
      -1,
      -max,
      max,
      -(2n ** 53n),
      2n ** 63n - 1n,
      -(2n ** 63n),
    ]);
    expect(roundTrip(i64, -5n)).toBe(-5);
    for (const wrong of [-1, 2 ** 53, 2n ** 64n, -1n, 1.5]) expect(() => roundTrip(u64, wrong)).toThrow(RangeError);
    for (const wrong of [2 ** 53, 2n ** 63n, 1.5]) expect(() => roundTrip(i64, wrong)).toThrow(RangeError);
    expect(() => roundTrip(u64, null as never)).toThrow(TypeError);
    expect(() => roundTrip(i64, undefined as never)).toThrow(TypeError);
  });

  test('floats, booleans, dates', () => {
    expect([0.1, -0, Number.NaN, Number.POSITIVE_INFINITY].map((value) => roundTrip(f64, value))).toEqual([
      0.1,
      -0,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ]);
    expect(roundTrip(f32, 0.1)).toBe(Math.fround(0.1));
    expect([true, false].map((value) => roundTrip(bool, value))).toEqual([true, false]);
    expect(roundTrip(date, new Date(-1234567890123))).toEqual(new Date(-1234567890123));
    expect(() => roundTrip(date, new Date(Number.NaN))).toThrow(RangeError);
    expect(() => roundTrip(date, 5 as never)).toThrow(TypeError);
    expect(() => roundTrip(bool, 1 as never)).toThrow(TypeError);
    expect(() => roundTrip(f64, 1n as never)).toThrow(TypeError);
  });
});

describe('strings and bytes', () => {
  test('a string is filled up with zeros, and cut off nowhere', () => {
    expect(['', 'abc', 'äöüß', '0123456789'].map((value) => roundTrip(str(10), value))).toEqual([
      '',
      'abc',
      'äöüß',
      '0123456789',
    ]);
    for (const wrong of ['01234567890', 'äöüßäö', 'a\0b', '\ud800']) {
      expect(() => roundTrip(str(10), wrong)).toThrow(RangeError);
    }
    expect(() => roundTrip(str(10), 5 as never)).toThrow(TypeError);
  });

  test('bytes are exactly as many as said, and a copy', () => {
    const codec = bytes(3);
    expect(roundTrip(codec, Uint8Array.of(1, 2, 3))).toEqual(Uint8Array.of(1, 2, 3));
    expect(() => roundTrip(codec, Uint8Array.of(1, 2))).toThrow(RangeError);
    expect(() => roundTrip(codec, [1, 2, 3] as never)).toThrow(TypeError);
    const slab = new Slab(Uint8Array.of(1, 2, 3, 4).buffer);
    const into = new Uint8Array(3);
    expect(codec.readInto?.(slab, 1, into)).toBe(into);
    expect(into).toEqual(Uint8Array.of(2, 3, 4));
  });

  test('sizes that no value can have are refused', () => {
    for (const size of [0, 1.5, 1347, Number.NaN]) {
      expect(() => str(size)).toThrow(RangeError);
      expect(() => bytes(size)).toThrow(RangeError);
    }
  });
});

describe('structs', () => {
  const item = struct({ count: u32, price: u64, at: { x: i16, y: i16 }, tags: arrayOf(u8, 3) });

  test('are packed, nested, and say in which field a value is wrong', () => {
    const value = { count: 1, price: 2n ** 60n, at: { x: -1, y: 2 }, tags: [1, 2, 3] };
    expect(item.size).toBe(4 + 8 + 4 + 3);
    expect(roundTrip(item, value)).toEqual(value);
    expect(() => roundTrip(item, { ...value, at: { x: 40000, y: 0 } })).toThrow(/^at: x: Cannot store 40000 as i16/);
    expect(() => roundTrip(item, { ...value, tags: [1, 2] })).toThrow(/^tags: .*exactly 3 values/);
    expect(() => roundTrip(item, { ...value, tags: [1, 2, 300] })).toThrow(/^tags: \[2\]: /);
    expect(() => roundTrip(item, { ...value, tags: 5 as never })).toThrow(TypeError);
    expect(() => roundTrip(item, null as never)).toThrow(TypeError);
  });

  test('are read into an object of the caller', () => {
    const slab = Slab.ofSize(32);
    item.write(slab, 1, { count: 7, price: 8, at: { x: 1, y: 2 }, tags: [3, 4, 5] });
    const at = { x: 0, y: 0 };
    const into = { count: 0, price: 0, at, tags: [] };
    expect(item.readInto?.(slab, 1, into)).toBe(into);
    expect(into).toEqual({ count: 7, price: 8, at: { x: 1, y: 2 }, tags: [3, 4, 5] });
    expect(into.at).toBe(at);
  });

  test('of impossible shape are refused', () => {
    expect(() => struct({})).toThrow(RangeError);
    expect(() => struct({ a: bytes(1000), b: bytes(1000) })).toThrow(RangeError);
    expect(() => struct({ 'a-b': u8 })).toThrow(TypeError);
    expect(() => arrayOf(u8, 0)).toThrow(RangeError);
    expect(() => codecOf(5 as never)).toThrow(TypeError);
  });
});

describe('schemas', () => {
  test('a codec comes back from its text', () => {
    const codecs = [
      ...[bool, date, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64],
      ...[str(7), bytes(1346), arrayOf(arrayOf(u8, 2), 3), struct({ a: u8, b: { c: str(3), $d: arrayOf(f64, 2) } })],
    ] as Codec<unknown>[];
    for (const { schema, size } of codecs) expect(parseCodec(schema)).toMatchObject({ schema, size });
  });

  test('a collection comes back from its text', () => {
    expect(parseSchema('tree keys=2 value={a:u8}')).toMatchObject({ kind: 'tree', levels: 2, codec: { size: 1 } });
    expect(parseSchema('array value=u32')).toMatchObject({ kind: 'array', levels: 1, codec: { size: 4 } });
    expect(parseSchema('bitset')).toEqual({ kind: 'bitset', levels: 1, codec: undefined });
  });

  test.each([
    '',
    'u33',
    'str()',
    'str(0)',
    'str(9999)',
    '{a:u8',
    '{a u8}',
    '{}',
    'u8]',
    'u8[0]',
    'u8[x]',
    `${'{a:'.repeat(40)}u8`,
  ])('a text that is none is corruption: %s', (text) => {
    expect(() => parseCodec(text)).toThrow(CorruptionError);
  });

  test.each(['', 'queue', 'tree keys=9 value=u8', 'tree value='])('so is a schema: %s', (text) => {
    expect(() => parseSchema(text)).toThrow(CorruptionError);
  });
});
