import { StateError } from '../base/index.ts';
import { Bitset } from '../bitset/index.ts';
import { CACHE_MAPPING_DIRTY } from '../format/index.ts';
import type { CacheCore } from './cache-core.ts';
import { flagsAt, isDirtyEntry, isValidAt } from './mapping.ts';

/** Whether a cache block is dirty. */
export type DirtyTest = (cacheBlock: number) => boolean;

/**
 * Writes down which mapped blocks are dirty. Version 1: in each mapping where it differs; version 2: in a bitset made anew. Blocks that are not
 * mapped are clean, whatever `isDirty` says.
 */
export function writeDirtyBits(core: CacheCore, isDirty: DirtyTest): void {
  if (core.dirty === undefined) writeIntoMappings(core, isDirty);
  else core.dirty = rebuild(core, core.dirty, isDirty);
}

/** Version 1. An array block is copied only if something in it changes. */
function writeIntoMappings(core: CacheCore, isDirty: DirtyTest): void {
  const { mappings, cacheBlocks } = core;
  const { words } = core.blockManager.slab;
  const { perBlock } = mappings;
  for (let begin = 0; begin < cacheBlocks; begin += perBlock) {
    const count = Math.min(perBlock, cacheBlocks - begin);
    const wanted = new Uint8Array(count);
    let differs = false;
    const at = blockAt(core, begin, count);
    for (let i = 0; i < count; i++) {
      if (!isValidAt(words, at + 2 * i)) continue;
      wanted[i] = isDirty(begin + i) ? 1 : 0;
      differs ||= isDirtyEntry(flagsAt(words, at + 2 * i)) !== (wanted[i] === 1);
    }
    if (!differs) continue;
    core.mappingRoot = mappings.changeBlock(core.mappingRoot, begin / perBlock, (view) => {
      const first = view.valueAt(0) >>> 2;
      for (let i = 0; i < count; i++) {
        if (!isValidAt(words, first + 2 * i)) continue;
        const word = words[first + 2 * i]!;
        words[first + 2 * i] = wanted[i] === 1 ? word | CACHE_MAPPING_DIRTY : word & ~CACHE_MAPPING_DIRTY;
      }
    });
  }
}

/** Word offset of the first of `count` entries of one array block. @throws {StateError} when the array is shorter. */
function blockAt(core: CacheCore, begin: number, count: number): number {
  const last = core.mappings.find(core.mappingRoot, begin + count - 1);
  if (last < 0) throw new StateError(`Cannot write dirty bits: the array of mappings ends before ${begin + count}`);
  return (last >>> 2) - 2 * (count - 1);
}

function rebuild(core: CacheCore, old: Bitset, isDirty: DirtyTest): Bitset {
  const { mappings, cacheBlocks } = core;
  const { words } = core.blockManager.slab;
  const { perBlock } = mappings;
  if (cacheBlocks > 0) blockAt(core, cacheBlocks - 1, 1);
  // Taken down before: while the bitset is built the mappings are not looked at.
  const bits = new Uint32Array(Math.ceil(cacheBlocks / 32));
  for (let begin = 0; begin < cacheBlocks; begin += perBlock) {
    const count = Math.min(perBlock, cacheBlocks - begin);
    const at = blockAt(core, begin, count);
    for (let i = 0; i < count; i++) {
      const block = begin + i;
      if (isValidAt(words, at + 2 * i) && isDirty(block)) bits[block >>> 5]! |= 1 << (block & 31);
    }
  }
  old.delete();
  return Bitset.create(core.tm, cacheBlocks, (i) => (bits[i >>> 5]! & (1 << (i & 31))) !== 0);
}
