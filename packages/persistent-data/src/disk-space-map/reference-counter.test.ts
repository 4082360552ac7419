import { expect, test } from 'vitest';
import { ReferenceCounter } from './reference-counter.ts';

test('`inc()` answers the count before, beyond what a byte holds', () => {
  const counter = new ReferenceCounter(10);
  for (let i = 0; i < 600; i++) expect(counter.inc(3)).toBe(i);
  expect(counter.count(3)).toBe(600);
  expect(counter.count(4)).toBe(0);
});

test('`incAll()` counts the first blocks of a list', () => {
  const counter = new ReferenceCounter(2 ** 40);
  counter.incAll(Float64Array.of(1, 2 ** 35, 1, 9), 3);
  expect([counter.count(1), counter.count(2 ** 35), counter.count(9)]).toEqual([2, 1, 0]);
});

test('`dec()` takes back', () => {
  const counter = new ReferenceCounter(10);
  for (let i = 0; i < 257; i++) counter.inc(3);
  for (let count = 257; count > 0; count--) {
    expect(counter.count(3)).toBe(count);
    counter.dec(3);
  }
  expect(counter.count(3)).toBe(0);
  expect(() => counter.dec(3)).toThrow('a reference that is given up was counted');
});

test('a space of a huge size costs only what is counted', () => {
  const counter = new ReferenceCounter(2 ** 40);
  counter.inc(2 ** 40 - 1);
  counter.inc(2 ** 33);
  expect(counter.count(2 ** 40 - 1)).toBe(1);
  expect(counter.count(2 ** 33)).toBe(1);
  expect(counter.count(2 ** 33 + 1)).toBe(0);
});

test('`copyBytes()` goes over the edges of pages, and shows large counts as 255', () => {
  const edge = 2 ** 28;
  const counter = new ReferenceCounter(3 * edge);
  counter.inc(edge - 1);
  counter.inc(edge);
  for (let i = 0; i < 300; i++) counter.inc(edge + 1);
  const bytes = new Uint8Array(5).fill(9);
  counter.copyBytes(edge - 2, bytes);
  expect([...bytes]).toEqual([0, 1, 1, 255, 0]);
  counter.copyBytes(2 * edge, bytes);
  expect([...bytes]).toEqual([0, 0, 0, 0, 0]);
});

test.each([100, 300_000, 2 ** 29])(
  '`incPacked()` counts what is above 24 bits, in a space of %i blocks',
  (nrBlocks) => {
    const counter = new ReferenceCounter(nrBlocks);
    const blocks = [5, nrBlocks - 1, 5, nrBlocks, 2 ** 40 - 1, 0, 5];
    const words = new Uint32Array(2 * blocks.length + 2);
    for (const [i, b] of blocks.entries()) {
      words[2 * i + 2] = ((b % 256) << 24) | 0xabcdef;
      words[2 * i + 3] = Math.floor(b / 256);
    }
    for (let i = 0; i < 100; i++) expect(counter.incPacked(words, 2, blocks.length)).toBe(2);
    expect([0, 1, 5, nrBlocks - 1].map((b) => counter.count(b))).toEqual([100, 0, 300, 100]);
  },
);
