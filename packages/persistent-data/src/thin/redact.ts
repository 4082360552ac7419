import {
  blockChecksum,
  type MetadataBlockKind,
  SALT,
  SPACE_MAP_ROOT,
  THIN_SUPERBLOCK,
  WORDS_PER_BLOCK,
} from '../format/index.ts';

/** The uuid lies at the same place in the superblocks of all targets. */
const UUID_WORD = THIN_SUPERBLOCK.word('uuid');
const UUID_WORDS = 4;

/**
 * Takes out of the superblock at word offset `base` what identifies its owner, and seals it again: the uuid; of a thin pool also what lies behind
 * the roots of the space maps and behind the last field, where old kernels left bytes of their memory.
 */
export function redactSuperblock(words: Uint32Array, base: number, kind: MetadataBlockKind): void {
  words.fill(0, base + UUID_WORD, base + UUID_WORD + UUID_WORDS);
  if (kind === 'thinSuperblock') {
    const data = THIN_SUPERBLOCK.word('dataSpaceMapRoot');
    const metadata = THIN_SUPERBLOCK.word('metadataSpaceMapRoot');
    words.fill(0, base + data + SPACE_MAP_ROOT.size / 4, base + metadata);
    words.fill(0, base + metadata + SPACE_MAP_ROOT.size / 4, base + THIN_SUPERBLOCK.word('dataMappingRoot'));
    words.fill(0, base + THIN_SUPERBLOCK.size / 4, base + WORDS_PER_BLOCK);
  }
  words[base] = blockChecksum(words, base, SALT[kind]);
}
