import { StateError } from '../base/index.ts';
import { SUPERBLOCK_LOCATION, THIN_SUPERBLOCK_VALIDATOR } from '../format/index.ts';
import type { PoolCore } from './pool-core.ts';
import { clearSpaceMapRoots, readThinSuperblock, type ThinSuperblock } from './superblock.ts';

/**
 * Makes a metadata snapshot (`held_root`): a copy of the superblock, elsewhere, that holds the trees as they are. All changes have been
 * committed. The snapshot counts from the next commit on, which the caller does at once.
 */
export function reserveMetadataSnapshot(core: PoolCore): void {
  if (core.heldRoot !== 0)
    throw new StateError(`Cannot reserve a metadata snapshot: there is one, at block ${core.heldRoot}`);
  const { tm, blockManager } = core;
  // The second reference makes shadowing copy the block; it goes over to the copy.
  tm.inc(SUPERBLOCK_LOCATION);
  const base = tm.shadow(SUPERBLOCK_LOCATION, THIN_SUPERBLOCK_VALIDATOR);
  const copy = blockManager.blockAt(base);
  clearSpaceMapRoots(blockManager.slab, base);
  tm.unlock(base);
  tm.inc(core.mappingRoot);
  tm.inc(core.detailsRoot);
  core.heldRoot = copy;
}

/** Gives the metadata snapshot up, and all that only it refers to. */
export function releaseMetadataSnapshot(core: PoolCore): void {
  const { tm, heldRoot } = core;
  if (heldRoot === 0) throw new StateError('Cannot release the metadata snapshot: there is none');
  const held = readHeldSuperblock(core);
  core.heldRoot = 0;
  core.mappings.delete(held.dataMappingRoot);
  core.details.delete(held.deviceDetailsRoot);
  tm.dec(heldRoot);
}

/** The superblock copy of the metadata snapshot. Its space-map roots are zero. */
export function readHeldSuperblock(core: PoolCore): ThinSuperblock {
  const base = core.tm.read(core.heldRoot, THIN_SUPERBLOCK_VALIDATOR);
  return readThinSuperblock(core.blockManager.slab, base);
}
