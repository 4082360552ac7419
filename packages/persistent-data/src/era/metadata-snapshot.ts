import { StateError } from '../base/index.ts';
import { ERA_SUPERBLOCK_VALIDATOR, SUPERBLOCK_LOCATION } from '../format/index.ts';
import type { EraCore } from './era-core.ts';
import { readEraSuperblock } from './superblock.ts';

/**
 * Makes a metadata snapshot: a copy of the superblock, elsewhere, that holds the archived writesets and the era array as they are. All changes
 * have been committed. The snapshot counts from the next commit on, which the caller does at once.
 *
 * The copy's space-map root and current writeset mean nothing: no reference protects what they refer to.
 */
export function takeSnapshot(core: EraCore): void {
  const { tm, blockManager } = core;
  // The second reference makes shadowing copy the block; it goes over to the copy.
  tm.inc(SUPERBLOCK_LOCATION);
  const base = tm.shadow(SUPERBLOCK_LOCATION, ERA_SUPERBLOCK_VALIDATOR);
  const copy = blockManager.blockAt(base);
  tm.unlock(base);
  tm.inc(core.writesetTreeRoot);
  tm.inc(core.eraArrayRoot);
  core.metadataSnap = copy;
}

/** Gives the metadata snapshot up, and all that only it refers to. @throws {StateError} when there is none. */
export function dropSnapshot(core: EraCore): void {
  const { tm, metadataSnap, blockManager } = core;
  if (metadataSnap === 0) throw new StateError('Cannot drop the metadata snapshot: there is none');
  const base = tm.read(metadataSnap, ERA_SUPERBLOCK_VALIDATOR);
  const { writesetTreeRoot, eraArrayRoot } = readEraSuperblock(blockManager.slab, base);
  core.metadataSnap = 0;
  core.writesets.delete(writesetTreeRoot);
  core.eras.delete(eraArrayRoot);
  tm.dec(metadataSnap);
}
