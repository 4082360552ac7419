import { SALT } from './constants.ts';
import { blockChecksum } from './crc32c.ts';

/** The kinds of metadata blocks that a checksum can tell apart: all that the kernel's targets write. */
export type MetadataBlockKind = Exclude<keyof typeof SALT, 'storeSuperblock'>;

const BY_SALT = new Map<number, MetadataBlockKind>(
  (Object.keys(SALT) as (keyof typeof SALT)[]).flatMap((kind) =>
    kind === 'storeSuperblock' ? [] : [[SALT[kind], kind]],
  ),
);

/**
 * What the block at word offset `base` is, told by its checksum alone; `undefined` when it is no intact block of metadata. A random block
 * passes once in 2^29.
 */
export function metadataBlockKind(words: Uint32Array, base: number): MetadataBlockKind | undefined {
  return BY_SALT.get((words[base]! ^ blockChecksum(words, base, 0)) >>> 0);
}
