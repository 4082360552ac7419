import type { U64 } from '../base/index.ts';

/** The pool as a whole, as a dump shows it. */
export interface ThinXmlSuperblock {
  /** Empty in practice. */
  readonly uuid: string;
  /** The pool's time: the number of snapshots made so far. */
  readonly time: number;
  readonly transaction: U64;
  /** Bit 0: needs_check. Absent: 0, and not shown. */
  readonly flags?: number;
  /** Of the metadata; 2 when absent. */
  readonly version?: number;
  /** In 512-byte sectors. */
  readonly dataBlockSize: number;
  /** 0 in the dump of a metadata snapshot. */
  readonly nrDataBlocks: number;
  /** The metadata block with the held root. No dump of the userland tools has it, and restoring ignores it. */
  readonly metadataSnap?: number;
}

/** A thin device, as a dump shows it. */
export interface ThinXmlDevice {
  readonly devId: number;
  /** Number of its mappings, those of its refs included. */
  readonly mappedBlocks: number;
  /** Transaction id of the pool when the device was made. */
  readonly transaction: U64;
  /** In the pool's time, as {@link snapTime}. */
  readonly creationTime: number;
  /** When it was last part in a snapshot, as origin or as snapshot. */
  readonly snapTime: number;
}

/**
 * What thin metadata has in it, one call after the other: made by a dump or by {@link readThinXml}, taken by the writers and by a
 * restore.
 *
 * Order: `superblockBegin`, (def | device)*, `superblockEnd`, with def = `defBegin`, (`map` | `ref`)*, `defEnd` and device =
 * `deviceBegin`, (`map` | `ref`)*, `deviceEnd`. A def is shared by all that refer to it, and comes before the first of these;
 * it may have refs itself, and may have no mappings. Within a def or device virtual blocks increase, counting those of refs.
 *
 * What a method throws goes to the caller of the producer, which ends there.
 */
export interface ThinVisitor {
  superblockBegin(superblock: ThinXmlSuperblock): void;
  superblockEnd(): void;
  /** @param name - Differs from that of all other defs. */
  defBegin(name: string): void;
  defEnd(): void;
  /** @param device - Its id differs from that of all other devices. */
  deviceBegin(device: ThinXmlDevice): void;
  deviceEnd(): void;
  /**
   * A run of mappings. Called millions of times: should not allocate.
   *
   * @param originBegin - First virtual block.
   * @param dataBegin - Data block of the first virtual block; both advance together.
   * @param length - In blocks, at least 1.
   * @param time - When the data blocks were mapped, the same for all, below 2^24.
   */
  map(originBegin: number, dataBegin: number, length: number, time: number): void;
  /** The mappings of a def, here. @param name - Of a def that has ended. */
  ref(name: string): void;
}
