import { expect, test } from 'vitest';
import { Slab } from '../base/index.ts';
import { THIN_MAGIC, THIN_SUPERBLOCK, THIN_SUPERBLOCK_VALIDATOR } from './thin-superblock.ts';

test('the layout fits a sector, as the kernel demands', () => {
  expect(THIN_SUPERBLOCK.size).toBeLessThanOrEqual(512);
});

test('a superblock without its magic number is refused before its checksum is looked at', () => {
  const slab = Slab.ofSize(4096);
  for (const [word, value] of [
    [0, THIN_MAGIC + 1],
    [1, 1],
  ] as const) {
    slab.words.fill(0);
    slab.words[THIN_SUPERBLOCK.word('magic')] = THIN_MAGIC;
    slab.words[THIN_SUPERBLOCK.word('magic') + word] = value;
    const found = word === 0 ? value : THIN_MAGIC + 2 ** 32;
    const text = `Cannot read thin_superblock block 0: magic is ${found}, ${THIN_MAGIC} is wanted`;
    expect(() => THIN_SUPERBLOCK_VALIDATOR.check(slab, 0, 0)).toThrow(text);
  }
});

test('a copy of a superblock elsewhere carries its own place', () => {
  const slab = Slab.ofSize(4096);
  slab.words[THIN_SUPERBLOCK.word('magic')] = THIN_MAGIC;
  THIN_SUPERBLOCK_VALIDATOR.seal(slab, 0, 6);
  THIN_SUPERBLOCK_VALIDATOR.check(slab, 0, 6);
  expect(() => THIN_SUPERBLOCK_VALIDATOR.check(slab, 0, 0)).toThrow('blocknr is 6, 0 is wanted');
});
