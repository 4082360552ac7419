import { describe, expect, test } from 'vitest';
import { AssertionError } from '../base/index.ts';
import { NameTable, Pattern, startsWith, UNKNOWN, XmlVocabulary } from './vocabulary.ts';

const encode = (text: string) => new TextEncoder().encode(text);

describe('`Pattern.matches()`', () => {
  test.each(['a', 'ab', 'abc', 'abcd', 'abcde', 'abcdefghijklmnopq'])('finds %s and nothing like it', (text) => {
    const pattern = new Pattern(encode(text));
    const bytes = new Uint8Array(64);
    const view = new DataView(bytes.buffer);
    for (const at of [0, 1, 2, 3]) {
      bytes.fill(0x61).set(encode(text), at);
      expect(pattern.matches(view, at)).toBe(true);
      for (let i = 0; i < text.length; i++) {
        bytes[at + i]! ^= 0x80;
        expect(pattern.matches(view, at)).toBe(false);
        bytes[at + i]! ^= 0x80;
      }
    }
  });
});

test('`NameTable.find()` finds whole names only', () => {
  const table = new NameTable(['data', 'data_block'], { before: '<', behind: ' ' });
  const bytes = encode('<data_block >');
  expect(table.find(bytes, 1, 5)).toBe(0);
  expect(table.find(bytes, 1, 11)).toBe(1);
  expect(table.find(bytes, 1, 6)).toBe(UNKNOWN);
  expect(table.number('data_block')).toBe(1);
  expect(() => table.number('block')).toThrow(AssertionError);
});

test('`startsWith()` compares bytes', () => {
  expect(startsWith(encode('abc'), 1, encode('bc'))).toBe(true);
  expect(startsWith(encode('abc'), 1, encode('bd'))).toBe(false);
});

test.each([
  ['names that are none', { elements: ['a b'], attributes: [] }],
  ['names that begin with a digit', { elements: ['1'], attributes: [] }],
  ['names that are empty', { elements: [''], attributes: [] }],
  ['names that are too long', { elements: ['x'.repeat(65)], attributes: [] }],
  ['names twice', { elements: ['a', 'a'], attributes: [] }],
  ['more than 31 attributes', { elements: [], attributes: Array.from({ length: 32 }, (_, i) => `a${i}`) }],
])('a vocabulary has no %s', (_, names) => {
  expect(() => new XmlVocabulary(names)).toThrow(AssertionError);
});
