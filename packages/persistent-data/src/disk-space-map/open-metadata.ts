import type { BlockManager } from '../block-manager/index.ts';
import type { SpaceMapRoot } from '../format/index.ts';
import { TransactionManager } from '../transaction-manager/index.ts';
import { KeptVersions } from './kept-versions.ts';
import { MetadataSpaceMap } from './metadata-space-map.ts';

/** A metadata device ready for transactions. */
export interface Metadata {
  readonly tm: TransactionManager;
  readonly spaceMap: MetadataSpaceMap;
}

/**
 * Ties the one knot of this library: a transaction manager allocates from a space map that keeps its records through that very
 * transaction manager. The map is made without content inside the manager's constructor, and filled once the manager is whole.
 */
function tie(blockManager: BlockManager, kept: KeptVersions): Metadata {
  const tm = new TransactionManager(blockManager, (unfinished) => MetadataSpaceMap.unbound(unfinished, kept));
  return { tm, spaceMap: tm.spaceMap as MetadataSpaceMap };
}

/** How {@link createMetadata} lays out a fresh device. */
export interface CreateMetadataOptions {
  /** Blocks to manage. Default: the device's. */
  readonly nrBlocks?: number;
  /** Blocks at the beginning that are in use for ever. Default 1: the superblock. */
  readonly nrReserved?: number;
  readonly kept?: KeptVersions;
}

/** Makes the metadata space map of a fresh device and a transaction manager over it. Not committed. */
export function createMetadata(blockManager: BlockManager, options: CreateMetadataOptions = {}): Metadata {
  const { nrBlocks = blockManager.nrBlocks, nrReserved = 1, kept = new KeptVersions() } = options;
  const metadata = tie(blockManager, kept);
  metadata.spaceMap.bootstrap(nrBlocks, nrReserved);
  return metadata;
}

/** Opens the metadata space map with this root, as a superblock holds it, and a transaction manager over it. */
export function openMetadata(blockManager: BlockManager, root: SpaceMapRoot, kept = new KeptVersions()): Metadata {
  const metadata = tie(blockManager, kept);
  metadata.spaceMap.open(root, blockManager.nrBlocks);
  return metadata;
}
