import { expect, test } from 'vitest';
import { INCOMPLETE, MAX_TAG_BYTES, XmlWindow } from './window.ts';

function filled(text: string): XmlWindow {
  const window = new XmlWindow();
  window.fill(new TextEncoder().encode(text), 0);
  return window;
}

test('`XmlWindow.fill()` takes what there is room for', () => {
  const window = new XmlWindow();
  const chunk = new Uint8Array(3 * MAX_TAG_BYTES).fill(0x78);
  expect(window.fill(chunk, 10)).toBe(2 * MAX_TAG_BYTES);
  expect(window.isFull).toBe(true);
  expect(window.bytes[window.end]).toBe(0);
  window.begin = window.end - 5;
  window.compact();
  expect(window.isFull).toBe(false);
  expect(window.bytes.subarray(0, 6)).toEqual(Uint8Array.of(0x78, 0x78, 0x78, 0x78, 0x78, 0));
  expect(window.fill(chunk, chunk.length - 1)).toBe(1);
});

test('`XmlWindow.error()` counts lines, and characters of the line', () => {
  const window = filled('a\nb\u00fc\u{1F600}c');
  expect(window.error('x', 0)).toMatchObject({ line: 1, column: 1 });
  expect(window.error('x', 1)).toMatchObject({ line: 1, column: 2 });
  expect(window.error('x', 2)).toMatchObject({ line: 2, column: 1 });
  expect(window.error('x', 9)).toMatchObject({ line: 2, column: 4, message: 'x (line 2, column 4)' });
});

test('`XmlWindow.compact()` keeps count', () => {
  const window = filled('a\n\u00fcbcd');
  for (const [begin, line, column] of [
    [1, 1, 2],
    [1, 2, 1],
    [2, 2, 2],
    [1, 2, 3],
  ] as const) {
    window.begin = begin;
    window.line = line;
    window.compact();
    expect(window.error('x', 0)).toMatchObject({ line, column });
  }
  expect(window.error('x', window.end)).toMatchObject({ line: 2, column: 5 });
});

test('`XmlWindow.unexpected()` is an error, unless the text ends there', () => {
  const window = filled('a\u0007');
  expect(() => window.unexpected(0, 'b')).toThrow('found a, b is wanted (line 1, column 1)');
  expect(() => window.unexpected(1, 'b')).toThrow('found the byte 0x07, b is wanted (line 1, column 2)');
  expect(window.unexpected(2, 'b')).toBe(INCOMPLETE);
});

test('`XmlWindow.moveTo()` goes on with the same text in other memory', () => {
  const window = filled('ab<');
  const buffer = new ArrayBuffer(0x2_4000);
  window.moveTo(buffer);
  expect(window.bytes.buffer).toBe(buffer);
  expect(window.bytes.subarray(0, 4)).toEqual(Uint8Array.of(0x61, 0x62, 0x3c, 0));
  expect(window.fill(Uint8Array.of(0x63), 0)).toBe(1);
  expect(window.view.getUint8(3)).toBe(0x63);
  expect(() => window.moveTo(new ArrayBuffer(0x1_0000))).toThrow('there is room for the window');
});
