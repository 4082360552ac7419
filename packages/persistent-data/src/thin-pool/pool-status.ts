import type { U64 } from '../base/index.ts';
import type { DiscardMode } from './options.ts';
import type { PoolEngine } from './pool-engine.ts';
import type { PoolMode } from './pool-mode.ts';

/** How a pool is. Blocks of metadata are of 4096 bytes, of data of `blockBytes`. */
export interface PoolStatus {
  readonly mode: PoolMode;
  /** Why it is in that mode. */
  readonly reason: string;
  readonly transactionId: U64;
  readonly blockBytes: number;
  /** Includes the reserve that commits and deletions need. */
  readonly usedMetadataBlocks: number;
  readonly nrMetadataBlocks: number;
  readonly usedDataBlocks: number;
  readonly nrDataBlocks: number;
  /** Block of the metadata snapshot, or 0. */
  readonly heldRoot: number;
  readonly discards: DiscardMode;
  readonly errorIfNoSpace: boolean;
  readonly needsCheck: boolean;
  /** Free metadata blocks at which `metadata_low_water` is told. */
  readonly metadataLowWater: number;
  /** Requests that wait for data space or behind one that does. */
  readonly nrWaiting: number;
}

/** Free metadata blocks at which a pool says that they become few: a quarter, at most 1024. */
export function metadataLowWater(nrMetadataBlocks: number): number {
  return Math.min(1024, Math.floor(nrMetadataBlocks / 4));
}

export function poolStatus(engine: PoolEngine): PoolStatus {
  const { metadata, mode } = engine;
  // A metadata device that has failed can't be counted any more.
  const isDead = mode.mode === 'fail';
  return {
    mode: mode.mode,
    reason: mode.reason,
    transactionId: metadata.transactionId,
    blockBytes: engine.blockBytes,
    usedMetadataBlocks: metadata.nrMetadataBlocks - (isDead ? 0 : metadata.nrFreeMetadata),
    nrMetadataBlocks: metadata.nrMetadataBlocks,
    usedDataBlocks: metadata.nrDataBlocks - (isDead ? 0 : metadata.nrFreeData),
    nrDataBlocks: metadata.nrDataBlocks,
    heldRoot: metadata.metadataSnapshot,
    discards: engine.discards,
    errorIfNoSpace: engine.errorIfNoSpace,
    needsCheck: metadata.needsCheck,
    metadataLowWater: metadataLowWater(metadata.nrMetadataBlocks),
    nrWaiting: engine.waits.size,
  };
}

const MODE_WORDS: Readonly<Record<PoolMode, string>> = {
  write: 'rw',
  out_of_data_space: 'out_of_data_space',
  out_of_metadata_space: 'ro',
  read_only: 'ro',
  fail: 'Fail',
};

const DISCARD_WORDS: Readonly<Record<DiscardMode, string>> = {
  passdown: 'discard_passdown',
  no_passdown: 'no_discard_passdown',
  ignore: 'ignore_discard',
};

/** The kernel's status line of a thin pool. */
export function formatPoolStatus(status: PoolStatus): string {
  if (status.mode === 'fail') return 'Fail';
  return [
    `${status.transactionId}`,
    `${status.usedMetadataBlocks}/${status.nrMetadataBlocks}`,
    `${status.usedDataBlocks}/${status.nrDataBlocks}`,
    status.heldRoot === 0 ? '-' : `${status.heldRoot}`,
    MODE_WORDS[status.mode],
    DISCARD_WORDS[status.discards],
    status.errorIfNoSpace ? 'error_if_no_space' : 'queue_if_no_space',
    status.needsCheck ? 'needs_check' : '-',
    `${status.metadataLowWater}`,
  ].join(' ');
}
