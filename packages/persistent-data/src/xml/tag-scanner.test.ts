import { expect, test } from 'vitest';
import { ScannedTag } from './tag.ts';
import { TagScanner } from './tag-scanner.ts';
import { UNKNOWN, XmlVocabulary } from './vocabulary.ts';
import { INCOMPLETE, XmlWindow } from './window.ts';

const VOCABULARY = new XmlVocabulary({ elements: ['item', 'it', 'items'], attributes: ['size', 'si', 'sizes', 'x'] });

function scanner(): { scan: (text: string) => string } {
  const window = new XmlWindow();
  const tag = new ScannedTag(window);
  const tags = new TagScanner(window, VOCABULARY, tag);
  return {
    scan(text) {
      window.begin = window.end;
      window.compact();
      window.fill(new TextEncoder().encode(text), 0);
      const end = tags.scan(0);
      if (end === INCOMPLETE) return 'incomplete';
      const { names } = VOCABULARY.attributes;
      const found = names.flatMap((name, number) => (tag.has(number) ? [` ${name}=${tag.text(number)}`] : []));
      return `${tag.element === UNKNOWN ? '?' : VOCABULARY.elements.names[tag.element]}${found.join('')}${text.slice(end)}`;
    },
  };
}

test('a guess from the last tag never overrides what is there', () => {
  const { scan } = scanner();
  expect(scan('<item size="1" x="2"/>')).toBe('item size=1 x=2/>');
  expect(scan('<item size="3" x="4"/>')).toBe('item size=3 x=4/>');
  expect(scan('<items size="1" x="2"/>')).toBe('items size=1 x=2/>');
  expect(scan('<it size="1" x="2"/>')).toBe('it size=1 x=2/>');
  expect(scan('<it sizes="1" x="2"/>')).toBe('it sizes=1 x=2/>');
  expect(scan('<it si="1" x="2"/>')).toBe('it si=1 x=2/>');
  expect(scan('<it x="1" si="2" size="3">')).toBe('it size=3 si=2 x=1>');
  expect(scan('<it\tx = \'1\' si="2" size="3"\n>')).toBe('it size=3 si=2 x=1>');
  expect(scan('<other x="1"/>')).toBe('? x=1/>');
  expect(scan('<other x="2"/>')).toBe('? x=2/>');
  expect(scan('<item size="1"/>')).toBe('item size=1/>');
  expect(scan('<item/>')).toBe('item/>');
});

test('a tag that is cut anywhere is incomplete, whatever lay in the window before', () => {
  const { scan } = scanner();
  const text = '<item size="1" x="a&amp;b" sizes=\'23\'/>';
  for (let length = 1; length < text.length - 1; length++) {
    expect(scan(text)).toBe('item size=1 sizes=23 x=a&b/>');
    expect(scan(text.slice(0, length))).toBe('incomplete');
  }
});
