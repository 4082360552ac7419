import { expect, test } from 'vitest';
import { decodeAscii, decodeCharacters, decodeValue, shorten } from './decode.ts';
import { XmlWindow } from './window.ts';

function filled(text: string): XmlWindow {
  const window = new XmlWindow();
  window.fill(new TextEncoder().encode(text), 0);
  return window;
}

test('`decodeAscii()` makes short and long strings', () => {
  for (const text of ['', 'abc', 'abcdefgh'.repeat(100)]) {
    const window = filled(`<${text}>`);
    expect(decodeAscii(window.bytes, 1, window.end - 1)).toBe(text);
  }
});

test('`decodeValue()` replaces references once, and white space before them', () => {
  const window = filled('&amp;lt;\t&#9;\r\n&#xd;');
  expect(decodeValue(window, 0, window.end)).toBe('&lt; \t \r');
});

test('`decodeCharacters()` keeps what XML allows', () => {
  const text = '\t\n\r ~\u007f\u0080\ud7ff\ue000\ufffd\u{10000}\u{10ffff}\ufeff';
  const window = filled(text);
  expect(decodeCharacters(window, 0, window.end)).toBe(text);
});

test('the error of bytes that are not UTF-8 has its cause', () => {
  const window = new XmlWindow();
  window.fill(Uint8Array.of(0x61, 0xff), 0);
  expect(() => decodeCharacters(window, 0, 2)).toThrow(
    expect.objectContaining({ code: 'PDATA_PARSE', cause: expect.any(TypeError) }),
  );
});

test('`shorten()` cuts long texts', () => {
  expect(shorten('short')).toBe('short');
  expect(shorten('x'.repeat(61))).toBe(`${'x'.repeat(60)}…`);
});
