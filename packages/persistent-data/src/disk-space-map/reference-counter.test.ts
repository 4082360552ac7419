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
  const edge = 1 << 20;
  const counter = new ReferenceCounter(3 * edge);
  counter.inc(edge - 1);
  counter.inc(2 * edge);
  for (let i = 0; i < 300; i++) counter.inc(2 * edge + 1);
  const bytes = new Uint8Array(edge + 4).fill(9);
  counter.copyBytes(edge - 1, bytes);
  expect([bytes[0], bytes[1], bytes[edge], bytes[edge + 1], bytes[edge + 2], bytes[edge + 3]]).toEqual([
    1, 0, 0, 1, 255, 0,
  ]);
});
