/** The cache as a whole, as a dump shows it. */
export interface CacheXmlSuperblock {
  /** Empty in practice. */
  readonly uuid: string;
  /** In 512-byte sectors. */
  readonly blockSize: number;
  readonly nrCacheBlocks: number;
  /** Name of the policy. */
  readonly policy: string;
  /** Bytes of a hint: 4, or 0 before a policy has stored any. */
  readonly hintWidth: number;
}

/**
 * What cache metadata has in it, one call after the other: made by a dump or by {@link readCacheXml}, taken by the writer and by a restore.
 *
 * Order: `superblockBegin`, `mappingsBegin`, `mapping`*, `mappingsEnd`, `hintsBegin`, `hint`*, `hintsEnd`, `superblockEnd`. Within both lists cache
 * blocks increase. What a method throws goes to the caller of the producer, which ends there.
 */
export interface CacheVisitor {
  superblockBegin(superblock: CacheXmlSuperblock): void;
  superblockEnd(): void;
  mappingsBegin(): void;
  mappingsEnd(): void;
  /** Called millions of times: should not allocate. */
  mapping(cacheBlock: number, originBlock: number, dirty: boolean): void;
  hintsBegin(): void;
  hintsEnd(): void;
  /** @param value - The four bytes of the hint as a u32, first byte lowest. */
  hint(cacheBlock: number, value: number): void;
}
