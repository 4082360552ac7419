import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SALT } from './constants.ts';
import { blockChecksum, crc32cBytes, crc32cWords } from './crc32c.ts';

/** A block of 4096 bytes that holds these bytes (hexadecimal) at these offsets, and zeros. */
function block(pieces: Record<number, string>): Uint32Array {
  const bytes = new Uint8Array(4096);
  for (const [offset, hex] of Object.entries(pieces)) {
    bytes.set(
      hex
        .trim()
        .split(/\s+/)
        .map((byte) => Number.parseInt(byte, 16)),
      Number(offset),
    );
  }
  return new Uint32Array(bytes.buffer);
}

/** The CRC bit by bit, straight from its definition. */
function slowCrc(bytes: Uint8Array, seed: number): number {
  let crc = seed;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  }
  return crc >>> 0;
}

test('`crc32cBytes` gives the standard check value, but for the final inversion', () => {
  const digits = new TextEncoder().encode('123456789');
  expect(~crc32cBytes(digits) >>> 0).toBe(0xe306_9283);
  expect(crc32cBytes(new Uint8Array(0))).toBe(0xffff_ffff);
});

test('both checksums agree with the definition, for any length, and go on from a seed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat({ max: 0xffff_ffff }), fc.nat(3), (bytes, seed, skip) => {
      expect(crc32cBytes(bytes, seed)).toBe(slowCrc(bytes, seed));
      const whole = bytes.slice(0, bytes.length & ~3);
      const words = new Uint32Array(whole.buffer);
      const begin = Math.min(skip, words.length);
      const part = whole.subarray(4 * begin);
      expect(crc32cWords(words, begin, words.length - begin, seed)).toBe(slowCrc(part, seed));
      expect(crc32cWords(words, begin, words.length - begin)).toBe(slowCrc(part, 0xffff_ffff));
    }),
  );
});

// docs/format.md, "Checksums": blocks of an image that thin_restore wrote, byte by byte.
describe.each([
  [
    'an empty reference-count leaf',
    SALT.btreeNode,
    { 4: '02 00 00 00 0a', 20: '50 01 00 00 04' },
    0xc315_dc2e,
    '2e dc 15 c3',
  ],
  ['a metadata bitmap', SALT.bitmap, { 8: '09', 16: 'aa aa aa' }, 0x9e67_19f1, 'f1 19 67 9e'],
  ['a data bitmap', SALT.bitmap, { 8: '06', 16: '00 00 f0 05 00 02 00 20' }, 0xd7bf_4d64, '64 4d bf d7'],
  [
    'a metadata index block',
    SALT.metadataIndex,
    { 8: '0b', 16: '09 00 00 00 00 00 00 00 b4 3f 00 00 0c' },
    0x66d9_ec0a,
    '0a ec d9 66',
  ],
  [
    'an empty leaf of 8-byte values',
    SALT.btreeNode,
    { 4: '02', 8: '01', 20: 'fc 00 00 00 08' },
    0x49e2_9463,
    '63 94 e2 49',
  ],
  [
    'a thin superblock',
    SALT.thinSuperblock,
    {
      32: 'ba 52 9c 01 00 00 00 00 02 00 00 00 03 00 00 00 05',
      64: '64 00 00 00 00 00 00 00 06 00 00 00 00 00 00 00 08 00 00 00 00 00 00 00 07',
      192: '00 04 00 00 00 00 00 00 0c 00 00 00 00 00 00 00 0b 00 00 00 00 00 00 00 0a',
      320: '05 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 80 00 00 00 08 00 00 00 00 04',
    },
    0xceab_5a7b,
    '7b 5a ab ce',
  ],
] as const)('the checksum of %s', (_, salt, pieces, checksum, stored) => {
  const words = block(pieces);

  test('is the one on the disk', () => {
    expect(blockChecksum(words, 0, salt)).toBe(checksum);
    const bytes = new Uint8Array(new Uint32Array([checksum]).buffer);
    expect(Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')).toBe(stored);
  });

  test('covers every byte but itself', () => {
    const bytes = new Uint8Array(words.buffer);
    for (const at of [4, 5, 16, 2047, 4095]) {
      bytes[at]! ^= 0x10;
      expect(blockChecksum(words, 0, salt)).not.toBe(checksum);
      bytes[at]! ^= 0x10;
    }
    words[0] = 0x1234;
    expect(blockChecksum(words, 0, salt)).toBe(checksum);
  });

  test('is the same anywhere in a slab', () => {
    const slab = new Uint32Array(3 * 1024).fill(7);
    slab.set(words, 1024);
    expect(blockChecksum(slab, 1024, salt)).toBe(checksum);
  });
});

test('a block’s checksum is the CRC that tables give of it', () => {
  const words = new Uint32Array(3 * 1024);
  for (let round = 0; round < 200; round++) {
    // A fixed sequence, so that nothing has to be replayed.
    for (let i = 0; i < words.length; i++) words[i] = Math.imul(words[i]! + i + round, 0x9e37_79b1) ^ (i << 7);
    const base = 512 * (round % 4);
    expect(blockChecksum(words, base, 0)).toBe(crc32cWords(words, base + 1, 1023));
  }
});

test('the salts tell the kinds of blocks apart', () => {
  const words = block({ 8: '05' });
  const kinds = Object.values(SALT).map((salt) => blockChecksum(words, 0, salt));
  expect(new Set(kinds).size).toBe(kinds.length);
});
