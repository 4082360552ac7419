import { describe, expect, test } from 'vitest';
import { AssertionError, ParseError } from '../base/index.ts';
import type { XmlTag } from './tag.ts';
import { MAX_DEPTH, type XmlHandler, XmlTokenizer } from './tokenizer.ts';
import { XmlVocabulary } from './vocabulary.ts';
import { MAX_TAG_BYTES } from './window.ts';

const VOCABULARY = new XmlVocabulary({ elements: ['list', 'item'], attributes: ['size', 'name'] });

/** Writes down what it is told. */
class Log implements XmlHandler {
  readonly events: string[] = [];
  open(tag: XmlTag): void {
    const attributes = Array.from(
      { length: tag.nrAttributes },
      (_, i) => ` ${tag.attributeName(i)}=${JSON.stringify(tag.attributeValue(i))}`,
    );
    this.events.push(`${tag.depth}:${tag.parent}>${tag.element} <${tag.name}${attributes.join('')}>`);
  }
  close(tag: XmlTag): void {
    this.events.push(`${tag.depth}:${tag.parent}>${tag.element} </${tag.name}>${tag.present === 0 ? '' : '!'}`);
  }
}

function read(text: string | Uint8Array, chunkBytes = 1 << 20, vocabulary = VOCABULARY): string[] {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const log = new Log();
  const tokenizer = new XmlTokenizer(vocabulary, log);
  for (let at = 0; at < bytes.length; at += chunkBytes) tokenizer.push(bytes.subarray(at, at + chunkBytes));
  tokenizer.end();
  return log.events;
}

function failure(text: string | Uint8Array): string {
  try {
    read(text);
  } catch (error) {
    if (error instanceof ParseError) return error.message;
    throw error;
  }
  return 'none';
}

describe('`XmlTokenizer` reads', () => {
  test('elements and attributes in the order of the text', () => {
    expect(read('<list size="1">\n <item name=\'a\' other="b"/><item></item >\n</list>\n')).toEqual([
      '0:-1>0 <list size="1">',
      '1:0>1 <item name="a" other="b">',
      '1:0>1 </item>',
      '1:0>1 <item>',
      '1:0>1 </item>',
      '0:-1>0 </list>',
    ]);
  });

  test('elements that the vocabulary does not have', () => {
    expect(read('<a><b/></a>')).toEqual(['0:-1>-1 <a>', '1:-1>-1 <b>', '1:-1>-1 </b>', '0:-1>-1 </a>']);
  });

  test('white space of all kinds between and inside tags', () => {
    expect(read('\r\n\t <list\r\n size\t=\n"1"\t/>\r\n')).toEqual(['0:-1>0 <list size="1">', '0:-1>0 </list>']);
  });

  test.each([
    ['&lt;&gt;&amp;&apos;&quot;', '<>&\'"'],
    ['&#65;&#x41;&#x1F600;&#10;', 'AA\u{1F600}\n'],
    ['a\tb\nc\r\nd\re', 'a b c d e'],
    ["it's >fine", "it's >fine"],
    ['gr\u00fc\u00df \u{1F600}', 'gr\u00fc\u00df \u{1F600}'],
    ['', ''],
  ])('the value %j', (text, value) => {
    expect(read(`<a b="${text}"/>`)[0]).toBe(`0:-1>-1 <a b=${JSON.stringify(value)}>`);
  });

  test.each([
    '<!-- before --><a/><!-- behind -->',
    '<a><!--in-\n->side--></a>',
    '\u{feff}<a/>',
    "<?xml version='1.0'?><a/>",
    '<?xml version="1.0" encoding="utf-8" standalone="yes" ?>\n<a/>',
    '\u{feff}<?xml version="1.0" encoding="US-ASCII"?><!-- \u00fc --><a/>',
  ])('over comments, the declaration and the byte order mark: %j', (text) => {
    expect(read(text)).toEqual(['0:-1>-1 <a>', '0:-1>-1 </a>']);
  });

  test('the same whatever the size of the chunks', () => {
    const text = `<list>${'<item name="gr\u00fc\u00df" size="12345"/>\n<!-- - -->'.repeat(10_000)}</list>`;
    const whole = read(text);
    expect(whole).toHaveLength(20_002);
    expect(read(text, 1)).toEqual(whole);
    expect(read(text, 131_071)).toEqual(whole);
  });

  test('tags of every length across the border of its window', () => {
    for (let shift = 0; shift < 36; shift++) {
      const items = '<item name="0123456789" size="7"/>\n'.repeat(4000);
      expect(read(`<list>${' '.repeat(shift)}${items}</list>`)).toHaveLength(8002);
    }
  });

  test('a tag of the greatest length', () => {
    const value = 'x'.repeat(MAX_TAG_BYTES - '<a b=""/>'.length);
    expect(read(`<list>${`<a b="${value}"/>`.repeat(5)}</list>`)).toHaveLength(12);
    expect(failure(`<list><a b="${value}x"/></list>`)).toMatch(
      /^Cannot parse XML: a tag .* than 65536 bytes \(line 1, column 7\)$/,
    );
    expect(failure(`<list><a b="${value.repeat(3)}`)).toMatch(/longer than 65536 bytes/);
    expect(failure(`<list><!--${value.repeat(3)}`)).toMatch(/longer than 65536 bytes/);
    expect(failure(`<list><!--${value}xxx--></list>`)).toMatch(/longer than 65536 bytes/);
    expect(failure(`<list></list${' '.repeat(MAX_TAG_BYTES)}>`)).toMatch(/longer than 65536 bytes/);
    expect(failure(`<?xml${' '.repeat(MAX_TAG_BYTES)}?>`)).toMatch(/longer than 65536 bytes/);
  });

  test(`${MAX_DEPTH} elements within each other`, () => {
    expect(read('<a>'.repeat(MAX_DEPTH) + '</a>'.repeat(MAX_DEPTH))).toHaveLength(2 * MAX_DEPTH);
    expect(failure('<a>'.repeat(MAX_DEPTH + 1))).toMatch(/more than 64 elements within each other/);
  });

  test('names of the greatest length', () => {
    const name = 'n'.repeat(MAX_TAG_BYTES - 3);
    expect(read(`<list><${name}/></list>`)[1]).toHaveLength(MAX_TAG_BYTES + 6);
  });
});

describe('`XmlTokenizer` refuses', () => {
  test.each([
    ['', 'missing root element (line 1, column 1)'],
    [' \n', 'missing root element (line 2, column 1)'],
    ['<!-- -->', 'missing root element (line 1, column 9)'],
    ['<a>', 'Cannot parse XML: the text ends inside <a> (line 1, column 4)'],
    ['<a', 'Cannot parse XML: the text ends inside a tag or comment (line 1, column 3)'],
    ['<', 'Cannot parse XML: the text ends inside a tag or comment (line 1, column 2)'],
    ['<a><!-- ', 'Cannot parse XML: the text ends inside a tag or comment (line 1, column 9)'],
    ['<?xml', 'Cannot parse XML: the text ends inside a tag or comment (line 1, column 6)'],
    ['<a>\n\u00fc\u00fc</a>', 'Cannot parse XML: found text, a tag is wanted (line 2, column 1)'],
    ['<a/>\n<a/>', 'duplicated a (line 2, column 1)'],
    ['<a/><b/>', 'Cannot parse XML: found <b> behind the end of <a> (line 1, column 5)'],
    ['<a/>junk', 'Cannot parse XML: found text, a tag is wanted (line 1, column 5)'],
    ['<a/></a>', 'Cannot parse XML: found </a>, no end tag is wanted (line 1, column 5)'],
    ['<a><b></a></b>', 'Cannot parse XML: found </a>, </b> is wanted (line 1, column 7)'],
    ['<a></aa>', 'Cannot parse XML: found </aa>, </a> is wanted (line 1, column 4)'],
    ['<a></a b>', 'Cannot parse XML: found b, > is wanted (line 1, column 8)'],
    ['<a></ a>', 'Cannot parse XML: found the byte 0x20, a name is wanted (line 1, column 6)'],
    ['< a/>', 'Cannot parse XML: found the byte 0x20, a name is wanted (line 1, column 2)'],
    ['<1/>', 'Cannot parse XML: found 1, a name is wanted (line 1, column 2)'],
    ['<\u00fc/>', 'Cannot parse XML: found the byte 0xc3, a name is wanted (line 1, column 2)'],
    ['<a\u00fc/>', 'Cannot parse XML: found the byte 0xc3, white space, > or /> is wanted (line 1, column 3)'],
    ['<a b/>', 'Cannot parse XML: found /, = is wanted (line 1, column 5)'],
    ['<a b=1/>', 'Cannot parse XML: found 1, a quote is wanted (line 1, column 6)'],
    ['<a\n\u00fc="">', 'Cannot parse XML: found the byte 0xc3, a name, > or /> is wanted (line 2, column 1)'],
    ['<a b=""c=""/>', 'Cannot parse XML: found c, white space, > or /> is wanted (line 1, column 8)'],
    ['<a b="\n<"/>', 'Cannot parse XML: found <, a quote is wanted (line 2, column 1)'],
    ['<a / >', 'Cannot parse XML: found the byte 0x20, > is wanted (line 1, column 5)'],
    ['<a b="" c="" b=""/>', 'Cannot parse XML: attribute b is there twice (line 1, column 14)'],
    ['<a size="" size=""/>', 'Cannot parse XML: attribute size is there twice (line 1, column 12)'],
    ['<a b="&nbsp;"/>', /^Cannot parse XML: found &nbsp;, one of .* is wanted \(line 1, column 7\)$/],
    ['<a b="&amp"/>', /found &amp, one of/],
    ['<a b="&"/>', /found &, one of/],
    ['<a b="&a&amp;"/>', /found &a, one of/],
    ['<a b="&#0;"/>', /found &#0;, one of/],
    ['<a b="&#xD800;"/>', /found &#xD800;, one of/],
    ['<a b="&#x110000;"/>', /found &#x110000;, one of/],
    ['<a b="&#xfffe;"/>', /found &#xfffe;, one of/],
    ['<a b="&#X41;"/>', /found &#X41;, one of/],
    ['<a b="&#;"/>', /found &#;, one of/],
    ['<a b="\u0001"/>', 'Cannot parse XML: found the character U+0001, which XML does not allow (line 1, column 7)'],
    ['<a b="\u0000"/>', 'Cannot parse XML: found the character U+0000, which XML does not allow (line 1, column 7)'],
    ['<a b="\uffff"/>', /found the character U\+FFFF/],
    ['<!-- \u0000 --><a/>', /found the character U\+0000/],
    ['<a>\u0000</a>', 'Cannot parse XML: found text, a tag is wanted (line 1, column 4)'],
    ['<a\u0000/>', 'Cannot parse XML: found the byte 0x00, white space, > or /> is wanted (line 1, column 3)'],
    ['<a><!-- -- --></a>', 'Cannot parse XML: found the byte 0x20, > is wanted (line 1, column 11)'],
    ['<a><!-- ---></a>', 'Cannot parse XML: found -, > is wanted (line 1, column 11)'],
    ['<!-></a>', /found >, a comment, no document type or CDATA, is wanted/],
    ['<!DOCTYPE a><a/>', /found D, a comment, no document type or CDATA, is wanted \(line 1, column 3\)/],
    ['<a><![CDATA[x]]></a>', /found \[, a comment/],
    ['<a><?php ?></a>', 'Cannot parse XML: found a processing instruction, which is not read (line 1, column 4)'],
    [' <?xml version="1.0"?><a/>', /a processing instruction, which is not read \(line 1, column 2\)/],
    ['<?xml version="1.1"?><a/>', /found another declaration than/],
    ['<?xml version="1.0" encoding="latin1"?><a/>', /found another declaration than/],
    ['<?xml?><a/>', /found another declaration than/],
    ['<?xml version="1.0">', /found another declaration than/],
    ['<a>&lt;</a>', /found text, a tag is wanted/],
  ])('%j', (text, message) => {
    expect(failure(text)).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
  });

  test.each([
    ['in a value', '<a b="', '"/>'],
    ['in a comment', '<!--', '--><a/>'],
  ])('bytes that are not UTF-8 %s', (_, before, behind) => {
    const encoder = new TextEncoder();
    for (const wrong of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf]]) {
      const text = Uint8Array.from([...encoder.encode(before), ...wrong, ...encoder.encode(behind)]);
      expect(failure(text)).toMatch(/^Cannot parse XML: the text is not UTF-8/);
    }
  });

  test('a document with another root than that of the vocabulary', () => {
    const vocabulary = new XmlVocabulary({ elements: ['list'], attributes: [], root: 'list' });
    expect(() => read('<item/>', 1, vocabulary)).toThrow('missing list (line 1, column 1)');
    expect(() => read('\n', 1, vocabulary)).toThrow('missing list (line 2, column 1)');
    expect(() => read('<list/><list/>', 1, vocabulary)).toThrow('duplicated list (line 1, column 8)');
  });

  test('more attributes than it has room for', () => {
    const attributes = Array.from({ length: 64 }, (_, i) => ` a${i}=""`).join('');
    expect(read(`<a${attributes} />`)).toHaveLength(2);
    expect(failure(`<a${attributes} size=""/>`)).toMatch(/more than 64 attributes/);
  });

  test('with lines and columns that count what has left the window', () => {
    const lines = `<list>\n${'<item/>\n'.repeat(20_000)}`;
    expect(failure(`${lines}  oh`)).toBe('Cannot parse XML: found text, a tag is wanted (line 20002, column 3)');
    const oneLine = `<list>${'<item name="\u00fc"/>'.repeat(20_000)}`;
    expect(failure(`${oneLine}oh`)).toBe('Cannot parse XML: found text, a tag is wanted (line 1, column 320007)');
    const feeds = `<list>${'<item\nname="\n\n"/><!-- \n -->'.repeat(20_000)}`;
    expect(failure(`${feeds}oh`)).toBe('Cannot parse XML: found text, a tag is wanted (line 80001, column 5)');
    expect(failure('\u{feff}<a>oh')).toBe('Cannot parse XML: found text, a tag is wanted (line 1, column 4)');
  });

  test('to go on after an error, and after the end', () => {
    const failed = new XmlTokenizer(VOCABULARY, new Log());
    failed.push(new TextEncoder().encode('oh'));
    expect(() => failed.end()).toThrow(ParseError);
    expect(() => failed.end()).toThrow(AssertionError);
    const ended = new XmlTokenizer(VOCABULARY, new Log());
    ended.push(new TextEncoder().encode('<a/>'));
    ended.end();
    expect(() => ended.push(new Uint8Array(1))).toThrow(AssertionError);
  });
});

test('`XmlTokenizer` passes on what the handler throws', () => {
  const tokenizer = new XmlTokenizer(VOCABULARY, {
    open: (tag) => {
      throw tag.error('enough');
    },
    close: () => {},
  });
  tokenizer.push(new TextEncoder().encode('\n <a/>'));
  expect(() => tokenizer.end()).toThrow('enough (line 2, column 2)');
});
