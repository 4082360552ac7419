import { describe, expect, test } from 'vitest';
import { AssertionError } from '../base/index.ts';
import type { XmlTag } from './tag.ts';
import { XmlTokenizer } from './tokenizer.ts';
import { XmlVocabulary } from './vocabulary.ts';

const VOCABULARY = new XmlVocabulary({ elements: ['a'], attributes: ['x', 'y'] });
const [X, Y] = [0, 1];

/** What `look` says of the first tag of a text. */
function inspect<T>(text: string, look: (tag: XmlTag) => T): T {
  const found: T[] = [];
  const tokenizer = new XmlTokenizer(VOCABULARY, { open: (tag) => void found.push(look(tag)), close: () => {} });
  tokenizer.push(new TextEncoder().encode(text));
  tokenizer.end();
  return found[0]!;
}

const number = (value: string, max = Number.MAX_SAFE_INTEGER) =>
  inspect(`<a x="${value}"/>`, (tag) => tag.number(X, max));
const u64 = (value: string) => inspect(`<a x="${value}"/>`, (tag) => tag.u64(X));

describe('`XmlTag.number()`', () => {
  test.each([
    ['0', 0],
    ['7', 7],
    ['007', 7],
    ['999999999', 999_999_999],
    ['1000000000', 1_000_000_000],
    ['4294967295', 4_294_967_295],
    ['999999999999999', 999_999_999_999_999],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['000000000000000000000000000000000000005', 5],
    ['&#49;2', 12],
  ])('reads %s', (text, value) => {
    expect(number(text)).toBe(value);
    expect(inspect(`<a x='${text}'/>`, (tag) => tag.number(X, value))).toBe(value);
    expect(u64(text)).toBe(value);
  });

  test.each([
    '',
    ' 1',
    '1 ',
    '+1',
    '-1',
    '1.0',
    '1e3',
    '0x10',
    '1_000',
    'one',
    '12a',
    '\u0661',
    '99999999999999999999x',
  ])('refuses %j', (text) => {
    expect(() => number(text)).toThrow(
      `Cannot read <a>: x is "${text}", a decimal number is wanted (line 1, column 7)`,
    );
    expect(() => u64(text)).toThrow('a decimal number is wanted');
  });

  test.each([
    ['101', 100],
    ['4294967296', 4_294_967_295],
    ['9007199254740992', Number.MAX_SAFE_INTEGER],
    ['18446744073709551616', Number.MAX_SAFE_INTEGER],
  ])('refuses %s above %d', (text, max) => {
    expect(() => number(text, max)).toThrow(`Cannot read <a>: x is ${text}, at most ${max} is allowed`);
  });

  test('shows a long value in part', () => {
    expect(() => number('9'.repeat(1000))).toThrow(`x is ${'9'.repeat(60)}…, at most`);
  });
});

describe('`XmlTag.u64()`', () => {
  test('gives a `bigint` where a `number` is not exact', () => {
    expect(u64('9007199254740992')).toBe(9_007_199_254_740_992n);
    expect(u64('18446744073709551615')).toBe(0xffff_ffff_ffff_ffffn);
  });

  test('refuses more than 64 bits', () => {
    expect(() => u64('18446744073709551616')).toThrow(
      'x is 18446744073709551616, at most 18446744073709551615 is allowed',
    );
  });
});

test('attributes are found by number in any order, and by index in that of the text', () => {
  const text = `<a y="2" z="3" ${'long'.repeat(20)}="4" x="1"/>`;
  expect(inspect(text, (tag) => [tag.text(X), tag.text(Y), tag.nrAttributes])).toEqual(['1', '2', 4]);
  expect(inspect(text, (tag) => [0, 1, 2, 3].map((i) => tag.attributeName(i)))).toEqual([
    'y',
    'z',
    'long'.repeat(20),
    'x',
  ]);
  expect(inspect(text, (tag) => [0, 1, 2, 3].map((i) => tag.attributeValue(i)))).toEqual(['2', '3', '4', '1']);
});

test('`XmlTag.present` has a bit for each attribute, and the highest for those that are not in the vocabulary', () => {
  expect(inspect('<a/>', (tag) => tag.present)).toBe(0);
  expect(inspect('<a y=""/>', (tag) => tag.present)).toBe(2);
  expect(inspect('<a x="" z="" y=""/>', (tag) => tag.present)).toBe(3 | (1 << 31));
  expect(inspect('<a y=""/>', (tag) => [tag.has(X), tag.has(Y)])).toEqual([false, true]);
});

test('asking for an attribute that is not there is a mistake', () => {
  expect(() => inspect('<a y=""/>', (tag) => tag.text(X))).toThrow(AssertionError);
  expect(() => inspect('<a y=""/>', (tag) => tag.attributeName(1))).toThrow(AssertionError);
  expect(() => inspect('<a y=""/>', (tag) => tag.attributeValue(1))).toThrow(AssertionError);
});

test('`XmlTag.error()` is placed at the tag or at a value', () => {
  const text = '<b>\n  <a x="1"\n y="2"/></b>';
  const look = (tag: XmlTag) => (tag.element === 0 ? [tag.error('tag'), tag.error('x', X), tag.error('y', Y)] : []);
  const errors: string[] = [];
  const tokenizer = new XmlTokenizer(VOCABULARY, {
    open: (tag) => void errors.push(...look(tag).map(({ message }) => message)),
    close: () => {},
  });
  tokenizer.push(new TextEncoder().encode(text));
  tokenizer.end();
  expect(errors).toEqual(['tag (line 2, column 3)', 'x (line 2, column 9)', 'y (line 3, column 5)']);
});
