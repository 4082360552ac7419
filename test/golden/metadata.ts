/** What the pool target needs of thin metadata. `ThinMetadata` of `persistent-data/thin` satisfies it, and so does `model.ts`. */

import type { BlockDevice } from 'persistent-data/io';

/** A run of mappings: virtual blocks `begin..end` on data blocks from `dataBegin` on. */
export interface MappedRange {
  readonly begin: number;
  readonly end: number;
  readonly dataBegin: number;
  readonly maybeShared: boolean;
}

/** An open thin device. */
export interface TargetThin {
  find(virtualBlock: number): { readonly dataBlock: number; readonly shared: boolean } | undefined;
  insert(virtualBlock: number, dataBlock: number): void;
  removeRange(begin: number, end: number): void;
  findMappedRange(begin: number, end: number): MappedRange | undefined;
  readonly changedThisTransaction: boolean;
  close(): void;
}

/** Thin metadata, open. */
export interface TargetMetadata {
  createThin(id: number): void;
  createSnapshot(options: { readonly snapshot: number; readonly origin: number }): void;
  deleteThin(id: number): void;
  openThin(id: number): TargetThin;
  /** Includes blocks freed since the last commit, which cannot be allocated before the next. */
  readonly nrFreeData: number;
  /** Without the reserve for commits and deletions. */
  readonly nrFreeMetadata: number;
  allocateDataBlock(): number;
  incDataRange(begin: number, end: number): void;
  decDataRange(begin: number, end: number): void;
  resizeData(nrDataBlocks: number): void;
  resizeMetadata(nrBlocks: number): void;
  setTransactionId(options: { readonly expected: number; readonly next: number }): void;
  reserveMetadataSnapshot(): void;
  releaseMetadataSnapshot(): void;
  commit(): void;
  close(): void;
}

/** How metadata is made and opened. */
export interface MetadataFactory {
  /** Formats as the kernel does: a commit with no data blocks, then growth to `nrDataBlocks` and a second commit. */
  format(device: BlockDevice, options: { dataBlockSizeSectors: number; nrDataBlocks: number }): TargetMetadata;
  open(device: BlockDevice, options: { dataBlockSizeSectors: number }): TargetMetadata;
}
