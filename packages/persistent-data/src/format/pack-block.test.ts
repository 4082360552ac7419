import { expect, test } from 'vitest';
import { CorruptionError } from '../base/index.ts';
import { metadataBlockKind } from './block-kind.ts';
import { SALT, WORDS_PER_BLOCK } from './constants.ts';
import { blockChecksum } from './crc32c.ts';
import { BlockPacker } from './pack-block.ts';
import { BlockUnpacker } from './unpack-block.ts';

function node(flags: number, fields: { maxEntries?: number; valueSize?: number }, fill: (words: Uint32Array) => void) {
  const words = new Uint32Array(WORDS_PER_BLOCK);
  const { maxEntries = 252, valueSize = 8 } = fields;
  words.set([0, flags, 1, 0, 5, maxEntries, valueSize, 0]);
  fill(words);
  words[0] = blockChecksum(words, 0, SALT.btreeNode);
  return words;
}

/** Block 1 of the worked example: keys 0 to 3 and 7, data blocks 10 to 13 and 20. */
function example() {
  return node(2, {}, (words) => {
    [0, 1, 2, 3, 7].forEach((key, i) => {
      words[8 + 2 * i] = key;
    });
    [0x0a00_0000, 0x0b00_0000, 0x0c00_0000, 0x0d00_0000, 0x1400_0001].forEach((value, i) => {
      words[512 + 2 * i] = value;
    });
  });
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

test('`BlockPacker` writes the worked example of the format to the byte', () => {
  const words = example();
  expect(words[0]).toBe(0x2f10_2111);
  const packer = new BlockPacker();
  packer.add(words, 0, 1, 'btreeNode');
  const header = hex(new Uint8Array(words.buffer, 0, 32));
  const keys = '01007311143760f6';
  const values = 'b0fc010a731117411460f6' + '010053113160f6';
  expect(hex(packer.packed)).toBe(`0100000000000000a120${header}${keys}${values}a120${'00'.repeat(32)}`);
});

function noise(words: Uint32Array): void {
  for (let i = 8; i < words.length; i++) words[i] = Math.imul(i * i, 0x9e37_79b1);
}

const CASES: [string, Uint32Array][] = [
  ['the example', example()],
  ['an internal node with falling values', node(1, {}, (w) => w.set([9, 0, 7, 0, 5, 0, 4, 0, 0xffff_ffff, 1], 512))],
  ['keys that step over 2^32', node(2, {}, (w) => w.set([0xffff_fff0, 0, 0, 1, 0x10, 1, 0x20, 1], 8))],
  ['keys at the end of u64', node(2, {}, (w) => w.set([0xffff_ffff, 0xffff_ffff, 0, 0, 1, 0x8000_0000], 8))],
  ['details', node(2, { maxEntries: 126, valueSize: 24 }, (w) => w.fill(0x1234_5678, 900))],
  ['counts', node(2, { maxEntries: 336, valueSize: 4 }, (w) => w.fill(3, 700, 720))],
  ['a node of impossible geometry', node(2, { maxEntries: 4000 }, (w) => w.fill(1, 100))],
  ['noise', node(2, {}, noise)],
];

test.each(CASES)('what is packed comes out again: %s', (_, words) => {
  expect(metadataBlockKind(words, 0)).toBe('btreeNode');
  const packer = new BlockPacker();
  packer.add(words, 0, 2 ** 33 + 7, 'btreeNode');
  packer.add(words, 0, 8, 'bitmap');
  const unpacker = new BlockUnpacker(packer.packed);
  const target = new Uint32Array(WORDS_PER_BLOCK);
  expect(unpacker.next(target)).toBe(2 ** 33 + 7);
  expect(target).toEqual(words);
  expect(unpacker.next(target)).toBe(8);
  expect(target).toEqual(words);
  expect(unpacker.atEnd).toBe(true);
});

test('a run inside a run inside a run is refused', () => {
  const bytes = new Uint8Array(1 << 20).map((_, i) => (i < 8 ? 0 : i % 2 === 0 ? 0xb2 : 0));
  expect(() => new BlockUnpacker(bytes).next(new Uint32Array(WORDS_PER_BLOCK))).toThrow(CorruptionError);
});

test('a program that is cut or changed anywhere is an error with its place, or another block, and ends', () => {
  const packer = new BlockPacker();
  packer.add(example(), 0, 1, 'btreeNode');
  const whole = packer.packed.slice();
  for (let at = 0; at < whole.length; at++) {
    expect(() => new BlockUnpacker(whole.subarray(0, at)).next(new Uint32Array(WORDS_PER_BLOCK))).toThrow(
      CorruptionError,
    );
    for (const flip of [1, 0x10, 0x80, 0xff]) {
      const damaged = whole.slice();
      damaged[at]! ^= flip;
      try {
        new BlockUnpacker(damaged).next(new Uint32Array(WORDS_PER_BLOCK));
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptionError);
      }
    }
  }
});
