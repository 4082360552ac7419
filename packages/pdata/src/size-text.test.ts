import { expect, test } from 'vitest';
import { formatAmount, parseBytes, parseSize, prettyBytes, readableBytes, unitOf } from './size-text.ts';

test('`prettyBytes` rounds as version 1.1.0 does', () => {
  const seen: [number, string][] = [
    [0, '0b'],
    [65535, '64KiB'],
    [1048575, '1024KiB'],
    [1114111, '1087KiB'],
    [8388607, '8191KiB'],
    [8388608, '8192KiB'],
    [8454143, '8MiB'],
    [13107199, '12MiB'],
    [13107200, '13MiB'],
    [1073676287, '1024MiB'],
    [1310719999, '1249MiB'],
    [8590458879, '8192MiB'],
    [9830399999999, '9Tib'],
    [65536e12 - 8, '58PiB'],
  ];
  for (const [bytes, text] of seen) expect([bytes, prettyBytes(bytes)]).toEqual([bytes, text]);
});

test('sizes are read in sectors, or in the unit given', () => {
  expect(parseSize('128', '-b')).toBe(65536);
  expect(parseSize('64k', '-b')).toBe(65536);
  expect(parseSize('1G', '-b')).toBe(1e9);
  for (const text of ['64x', '64kib', '1.5g', '', '-1']) expect(() => parseSize(text, '-b')).toThrow('Invalid unit');
  expect(() => unitOf('mib', '-u')).toThrow('Invalid unit');
});

test('amounts have two decimals from 1 on, and all below', () => {
  expect([4.5, 0.02734375, 1e-9, 2.5e-17, 3].map(formatAmount)).toEqual([
    '4.50',
    '0.02734375',
    '0.000000001',
    '0.000000000000000025',
    '3',
  ]);
});

test('sizes of volumes are in powers of 1024', () => {
  const sizes = ['4096', '64K', '256M', '1.5GiB', '2tb', '1 G'];
  expect(sizes.map((text) => parseBytes(text, '-s'))).toEqual([4096, 65_536, 2 ** 28, 1.5 * 2 ** 30, 2 ** 41, 2 ** 30]);
  for (const text of ['', 'M', '-1', '1X', '0.3K', '9999P']) {
    expect(() => parseBytes(text, '-s'), text).toThrow(`invalid value '${text}' for '-s'`);
  }
  const texts = [0, 512, 65_536, 1.5 * 2 ** 20, 40_239_104, 2 ** 40].map(readableBytes);
  expect(texts).toEqual(['0 bytes', '512 bytes', '64 KiB', '1.50 MiB', '38.4 MiB', '1 TiB']);
});
