import { expect, test } from 'vitest';
import { Literal, putDecimal, putLiteral } from './put-text.ts';

const bytes = new Uint8Array(128);
const view = new DataView(bytes.buffer);
const text = (end: number): string => new TextDecoder().decode(bytes.subarray(3, end));

test('`putDecimal()` writes what a string would say', () => {
  const numbers = [0, 7, 10, 99, 100, 999, 1000, 9999, 10_000, 10_001, 99_999_999, 100_000_000, 4_294_967_296];
  for (const number of [...numbers, 2 ** 53 - 1]) expect(text(putDecimal(view, 3, number))).toBe(String(number));
});

test('`putLiteral()` keeps every byte, of UTF-8 too', () => {
  // Eight bytes that would be a number, or not, with any upper half.
  for (const wanted of ['', 'a', '\u007f'.repeat(16), 'ÿ'.repeat(20), 'abcdefg\u{10ffff}', '\u0000\u0001']) {
    expect(text(putLiteral(view, 3, new Literal(wanted)))).toBe(wanted);
  }
});
