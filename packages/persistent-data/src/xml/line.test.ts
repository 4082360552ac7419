import { expect, test } from 'vitest';
import { ParseError } from '../base/index.ts';
import { XmlGrammar } from './grammar.ts';
import { type XmlHandler, XmlTokenizer } from './tokenizer.ts';

const GRAMMAR = new XmlGrammar('list', {
  list: { children: ['item', 'box'] },
  box: { children: ['item'] },
  item: { required: ['size', 'kind'], optional: ['note'] },
});
const SIZE = GRAMMAR.attribute('size');
const KIND = GRAMMAR.attribute('kind');

/** Reads a text cut at some places, and answers its items, those that were read as lines marked with a star. */
function read(text: string, { cut = 1 << 20, most = 1000 } = {}): string[] {
  const items: string[] = [];
  const handler: XmlHandler = {
    lines: [
      GRAMMAR.line(
        'item',
        'list',
        [
          ['size', 'number'],
          ['kind', ['round', 'square']],
        ],
        ([size, kind]) => size! <= most && items.push(`*${size} ${['round', 'square'][kind!]}`) > 0,
      ),
    ],
    open(tag) {
      GRAMMAR.check(tag);
      if (tag.has(SIZE)) items.push(`${tag.number(SIZE, most)} ${tag.text(KIND)}`);
    },
    close: () => undefined,
  };
  const tokenizer = new XmlTokenizer(GRAMMAR.vocabulary, handler);
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += cut) tokenizer.push(bytes.subarray(at, at + cut));
  tokenizer.end();
  return items;
}

test('what is written as a line is read as one, what is written in another way as a tag, with the same content', () => {
  const text = `<list>
    <item size="7" kind="round"/>
    <item size="008" kind="square"/><item size="9" kind="round" />
    <item kind="round" size="10"/>
    <item size='11' kind="round"/>
    <item size="12" kind="roun&#100;"/>
    <item size="13" kind="round" note="x"/>
    <item size="14" kind="square"></item>
    <box><item size="15" kind="round"/></box>
    <item size="0000000016" kind="round"/>
    <item size="17" kind="round"/></list>`;
  const wanted = [
    ...['*7 round', '*8 square', '9 round', '10 round', '11 round', '12 round', '13 round', '14 square'],
    ...['15 round', '16 round', '*17 round'],
  ];
  for (const cut of [1, 2, 7, 1000]) expect(read(text, { cut })).toEqual(wanted);
});

test('what a line is not taken for is read as a tag, so that errors have their place', () => {
  const text = '<list>\n<item size="5" kind="round"/>\n  <item size="50" kind="round"/></list>';
  expect(() => read(text, { most: 10 })).toThrow('size is 50, at most 10 is allowed (line 3, column 15)');
  for (const wrong of ['<item size="" kind="round"/>', '<item size="1" kind="oval"', '<item size="1" kind="round"/']) {
    expect(() => read(`<list>${wrong}</list>`)).toThrow(ParseError);
  }
  expect(() => read('<list><item size="1" kind="round"/>')).toThrow('the text ends inside <list>');
  expect(() => read('<list><item size="1" kind="rou')).toThrow(ParseError);
});

test('a line is of an element that may stand there, with attributes that it may have', () => {
  const line = (name: string, parent: string, attributes: readonly [string, 'number'][]) => () =>
    GRAMMAR.line(name, parent, attributes, () => true);
  expect(line('box', 'item', [['size', 'number']])).toThrow('the grammar has');
  expect(line('item', 'list', [['size', 'number']])).toThrow('the grammar has');
});

test('long documents: lines at every place of the window, and their numbers', () => {
  const lines = Array.from(
    { length: 20_000 },
    (_, i) => `<item size="${i % 1000}" kind="${i % 3 ? 'round' : 'square'}"/>`,
  );
  const items = read(`<list>\n  ${lines.join('\n  ')}\n</list>`, { cut: 4099 });
  expect(items).toHaveLength(20_000);
  const asLines = items.filter((item) => item.startsWith('*'));
  // One that the end of a filling cuts is read with the next.
  expect(asLines.length).toBeGreaterThan(19_980);
  expect(items.map((item) => item.replace('*', ''))).toEqual(
    lines.map((_, i) => `${i % 1000} ${i % 3 ? 'round' : 'square'}`),
  );
});
