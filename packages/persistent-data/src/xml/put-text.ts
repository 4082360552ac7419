/** Text into bytes, without strings: the inner loops of a dump. All of them write without looking how much room there is. */

import { assert } from '../base/index.ts';
import { ZERO } from './byte-class.ts';

/** Bytes of the longest literal. */
export const MAX_LITERAL_BYTES = 64;
/** More than the digits of 2^53: what is written together with them is overwritten by what comes next. */
export const MAX_DECIMAL_BYTES = 20;

const MYRIAD = 10_000;
const ENCODER = new TextEncoder();

/** `0000` to `9999`, each as a little-endian word: one look-up and one store write four digits. */
const FOUR_DIGITS = makeFourDigits();

function makeFourDigits(): Int32Array {
  const words = new Int32Array(MYRIAD);
  // Without divisions: it is made whenever a program starts.
  let at = 0;
  for (let a = ZERO; a < ZERO + 10; a++) {
    for (let b = ZERO; b < ZERO + 10; b++) {
      for (let c = ZERO; c < ZERO + 10; c++) {
        for (let d = ZERO; d < ZERO + 10; d++) words[at++] = a | (b << 8) | (c << 16) | (d << 24);
      }
    }
  }
  return words;
}

/** A short text to be written millions of times. */
export class Literal {
  /** In bytes. */
  readonly length: number;
  /** Eight bytes each, little-endian, the last one filled up with zeros. No UTF-8 is not a number, so these keep their bits. */
  readonly pieces: Float64Array;

  constructor(text: string) {
    const bytes = ENCODER.encode(text);
    assert(bytes.length <= MAX_LITERAL_BYTES, `a literal has at most ${MAX_LITERAL_BYTES} bytes`);
    const padded = new Uint8Array((bytes.length + 7) & ~7);
    padded.set(bytes);
    this.length = bytes.length;
    this.pieces = new Float64Array(padded.buffer);
  }
}

/** Writes a literal, and up to 7 zeros, to byte `at`; answers where it ends. */
export function putLiteral(view: DataView, at: number, { pieces, length }: Literal): number {
  for (let i = 0; i < pieces.length; i++) view.setFloat64(at + 8 * i, pieces[i]!, true);
  return at + length;
}

/** Writes a whole number from 0 to 2^53 - 1, other values give nonsense; answers where it ends. */
export function putDecimal(view: DataView, at: number, value: number): number {
  if (value < MYRIAD) return putHead(view, at, value);
  const high = Math.floor(value / MYRIAD);
  const low = value - high * MYRIAD;
  const middle = high < MYRIAD ? putHead(view, at, high) : putDecimal(view, at, high);
  view.setInt32(middle, FOUR_DIGITS[low]!, true);
  return middle + 4;
}

/** Writes a number below 10 000 without zeros before it: the four digits, less those in front. */
function putHead(view: DataView, at: number, value: number): number {
  const nrZeros = value < 100 ? (value < 10 ? 3 : 2) : value < 1000 ? 1 : 0;
  view.setInt32(at, FOUR_DIGITS[value]! >>> (8 * nrZeros), true);
  return at + 4 - nrZeros;
}
