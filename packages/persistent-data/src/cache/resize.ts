import { CorruptionError, StateError } from '../base/index.ts';
import type { CacheCore } from './cache-core.ts';
import type { DirtyTest } from './dirty-bits.ts';
import { flagsAt, isDirtyEntry, isValidAt, UNMAPPED } from './mapping.ts';

/**
 * Changes the number of cache blocks; new ones are not mapped. Nothing is changed when a block that would go is dirty.
 *
 * @param isDirty - What is known in core; on the disk a block may be dirty besides.
 * @throws {StateError} when dirty blocks would be lost.
 * @throws {CorruptionError} when there are fewer mappings than cache blocks.
 */
export function resizeCache(core: CacheCore, newBlocks: number, isDirty: DirtyTest): void {
  const { cacheBlocks: oldBlocks } = core;
  if (!(Number.isInteger(newBlocks) && newBlocks >= 0 && newBlocks < 2 ** 32)) {
    throw new RangeError(`Cannot resize cache: ${newBlocks} blocks, 0 to 2^32 - 1 are wanted`);
  }
  if (newBlocks === oldBlocks) return;
  if (newBlocks < oldBlocks) refuseDirty(core, newBlocks, isDirty);
  core.mappingRoot = core.mappings.resize(core.mappingRoot, oldBlocks, newBlocks, UNMAPPED);
  const { dirty } = core;
  if (dirty !== undefined) {
    dirty.resize(oldBlocks, newBlocks, false);
    // What lay behind the end in the last word is anything.
    const end = Math.min(newBlocks, Math.ceil(oldBlocks / 64) * 64);
    for (let block = oldBlocks; block < end; block++) if (dirty.test(block)) dirty.clear(block);
  }
  core.cacheBlocks = newBlocks;
}

function refuseDirty(core: CacheCore, newBlocks: number, isDirty: DirtyTest): void {
  const { mappings, dirty } = core;
  const { words } = core.blockManager.slab;
  for (let block = newBlocks; block < core.cacheBlocks; block++) {
    const offset = mappings.find(core.mappingRoot, block);
    // Going on would be a look-up for each of up to 2^32 blocks that a superblock has made up.
    if (offset < 0) throw tooShort(core, block);
    const at = offset >>> 2;
    if (!isValidAt(words, at)) continue;
    const flags = flagsAt(words, at);
    const isStored = dirty === undefined ? isDirtyEntry(flags) : dirty.test(block);
    if (!isStored && !isDirty(block)) continue;
    throw new StateError(
      `unable to shrink cache due to dirty blocks: cache block ${block} is dirty, ${newBlocks} blocks are wanted`,
    );
  }
}

function tooShort(core: CacheCore, block: number): CorruptionError {
  const message = `Cannot shrink cache: the mappings end before cache block ${block} of ${core.cacheBlocks}`;
  return new CorruptionError(message, { block: core.mappingRoot, kind: 'btree_node', field: 'nrEntries' });
}
