import { describe, expect, test } from 'vitest';
import { AssertionError } from '../base/index.ts';
import { XmlGrammar } from './grammar.ts';
import { XmlTokenizer } from './tokenizer.ts';

const GRAMMAR = new XmlGrammar('list', {
  list: { required: ['name'], children: ['list_item', 'gap'] },
  list_item: { required: ['size', 'name'], optional: ['colour'], children: ['gap'] },
  gap: {},
});

function check(text: string): void {
  const tokenizer = new XmlTokenizer(GRAMMAR.vocabulary, { open: (tag) => GRAMMAR.check(tag), close: () => {} });
  tokenizer.push(new TextEncoder().encode(text));
  tokenizer.end();
}

describe('`XmlGrammar.check()`', () => {
  test('accepts what the rules allow', () => {
    check(
      '<list name=""><gap/><list_item name="" size=""><gap/></list_item><list_item colour="" size="" name=""/></list>',
    );
  });

  test.each([
    ['<list/>', 'Cannot read <list>: found no attribute name (line 1, column 1)'],
    ['<list name=""><list_item/></list>', 'Cannot read <list_item>: found no attribute name, size (line 1, column 15)'],
    ['<list name="" size=""/>', 'Cannot read <list>: found attribute size, name is wanted (line 1, column 1)'],
    [
      '<list name=""><list_item name="" size="" x=""/></list>',
      'Cannot read <list_item>: found attribute x, name, size, colour is wanted (line 1, column 15)',
    ],
    [
      '<list name=""><gap x=""/></list>',
      'Cannot read <gap>: found attribute x, no attribute is wanted (line 1, column 15)',
    ],
    [
      '<list name=""><other/></list>',
      'Cannot read <list>: found <other>, <list_item>, <gap> is wanted (line 1, column 15)',
    ],
    [
      '<list name=""><gap><gap/></gap></list>',
      'Cannot read <gap>: found <gap>, no element is wanted (line 1, column 20)',
    ],
    ['<list name="">\n<list name=""/></list>', 'duplicated list (line 2, column 1)'],
    ['<gap/>', 'missing list (line 1, column 1)'],
  ])('refuses %s', (text, message) => {
    expect(() => check(text)).toThrow(expect.objectContaining({ message }));
  });
});

test('a grammar without a rule for its root, or for a child, is a mistake', () => {
  expect(() => new XmlGrammar('a', { b: {} })).toThrow(AssertionError);
  expect(() => new XmlGrammar('a', { a: { children: ['b'] } })).toThrow(AssertionError);
});

test('32 elements and 31 attributes have room', () => {
  const names = Array.from({ length: 31 }, (_, i) => `n${i}`);
  const rules = Object.fromEntries(names.map((name) => [name, { required: names, children: ['root'] }]));
  const grammar = new XmlGrammar('root', { ...rules, root: { optional: names, children: [...names] } });
  const tokenizer = new XmlTokenizer(grammar.vocabulary, { open: (tag) => grammar.check(tag), close: () => {} });
  tokenizer.push(new TextEncoder().encode(`<root n30=""><n30 ${names.map((name) => `${name}=""`).join(' ')}/></root>`));
  tokenizer.end();
});
