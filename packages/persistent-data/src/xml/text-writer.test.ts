import { describe, expect, test } from 'vitest';
import { Literal } from './put-text.ts';
import { formatU64, TextWriter } from './text-writer.ts';

/** What is written, and in which pieces. */
function written(write: (writer: TextWriter) => void, bufferBytes?: number): { text: string; pieces: number[] } {
  const pieces: Uint8Array[] = [];
  const writer = new TextWriter(
    (bytes) => pieces.push(bytes.slice()),
    bufferBytes === undefined ? {} : { bufferBytes },
  );
  write(writer);
  writer.flush();
  writer.flush();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  return {
    text: pieces.map((piece) => decoder.decode(piece, { stream: true })).join('') + decoder.decode(),
    pieces: pieces.map(({ length }) => length),
  };
}

describe('`TextWriter.decimal()`', () => {
  const values = [0, 4_294_967_295, 4_294_967_296, 2 ** 40, Number.MAX_SAFE_INTEGER];
  for (let power = 1; power < 1e16; power *= 10) values.push(power - 1, power, power + 1, 2 * power + 5);

  test.each([64, 65, 1 << 18])('writes numbers of every length, buffer of %d bytes', (bufferBytes) => {
    const { text } = written((writer) => {
      for (const value of values) {
        writer.decimal(value);
        writer.text(' ');
      }
    }, bufferBytes);
    expect(text).toBe(values.map((value) => `${value} `).join(''));
  });
});

test('`TextWriter.literal()` writes literals of every length', () => {
  const texts = Array.from({ length: 65 }, (_, length) => 'abcdefgh'.repeat(9).slice(0, length));
  const literals = texts.map((text) => new Literal(text));
  const { text, pieces } = written((writer) => {
    for (const literal of literals) writer.literal(literal);
    writer.text('.');
  }, 100);
  expect(text).toBe(`${texts.join('')}.`);
  expect(Math.max(...pieces)).toBeLessThanOrEqual(100);
});

test.each([64, 300, 1 << 18])('`TextWriter.two()` writes what one by one would, buffer of %d bytes', (bufferBytes) => {
  const [before, between, after] = [new Literal('<a b="'), new Literal('" cdefghijk="'), new Literal('"/>\n')];
  const numbers = [0, 9999, 10_000, 123_456_789, 2 ** 53 - 1];
  const { text } = written((writer) => {
    for (const a of numbers) for (const b of numbers) writer.two(before, a, between, b, after);
  }, bufferBytes);
  expect(text).toBe(numbers.flatMap((a) => numbers.map((b) => `<a b="${a}" cdefghijk="${b}"/>\n`)).join(''));
});

test('a literal has at most 64 bytes', () => {
  expect(() => new Literal('x'.repeat(65))).toThrow('a literal has at most 64 bytes');
});

test('`TextWriter.text()` writes UTF-8 of any length', () => {
  const long = 'gr\u00fc\u00df \u{1F600} '.repeat(50);
  expect(written((writer) => writer.text(long), 64)).toMatchObject({ text: long });
  expect(written((writer) => writer.text(''))).toEqual({ text: '', pieces: [] });
});

test('`TextWriter.flush()` gives what there is, once', () => {
  expect(written((writer) => writer.text('x'.repeat(150)), 64).pieces).toEqual([64, 64, 22]);
});

test('`TextWriter.u64()` writes all of 64 bits, and nothing else', () => {
  const { text } = written((writer) => {
    writer.u64(7);
    writer.u64(0xffff_ffff_ffff_ffffn);
  });
  expect(text).toBe('718446744073709551615');
  for (const wrong of [-1, 1.5, Number.NaN, 2 ** 53, -1n, 1n << 64n])
    expect(() => formatU64(wrong)).toThrow(RangeError);
});

test('a text writer has a buffer of at least 64 bytes', () => {
  for (const bufferBytes of [63, 64.5, Number.NaN]) {
    expect(() => new TextWriter(() => {}, { bufferBytes })).toThrow(RangeError);
  }
});

test('four bytes in base64', () => {
  const pieces: string[] = [];
  const writer = new TextWriter((bytes) => pieces.push(new TextDecoder().decode(bytes)), { bufferBytes: 64 });
  const values = [0, 1, 63, 0x0403_0201, 0xffff_ffff, 0x8000_0000, 0xfb, 0x00ff_00ff, 12_345_678];
  for (const value of values) writer.base64U32(value);
  writer.flush();
  const wanted = values.map((value) => Buffer.from(Uint32Array.of(value).buffer).toString('base64'));
  expect(pieces.join('')).toBe(wanted.join(''));
});
