import { expect, test } from 'vitest';
import { metadataBlockKind } from './block-kind.ts';
import { SALT, WORDS_PER_BLOCK } from './constants.ts';
import { blockChecksum } from './crc32c.ts';

test('`metadataBlockKind` tells kinds by their checksums, and what is none', () => {
  const words = new Uint32Array(WORDS_PER_BLOCK).fill(7);
  for (const kind of ['btreeNode', 'bitmap', 'thinSuperblock', 'eraSuperblock'] as const) {
    words[0] = blockChecksum(words, 0, SALT[kind]);
    expect(metadataBlockKind(words, 0)).toBe(kind);
  }
  expect(metadataBlockKind(new Uint32Array(WORDS_PER_BLOCK), 0)).toBeUndefined();
});
