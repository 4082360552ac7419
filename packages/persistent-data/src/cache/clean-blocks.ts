import { BlockManager } from '../block-manager/index.ts';
import { CACHE_FLAG_CLEAN_SHUTDOWN, CACHE_MAPPING_VALID } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { CacheCore } from './cache-core.ts';
import { writeDirtyBits } from './dirty-bits.ts';
import { isCleanShutdown, refuseUnsupported } from './superblock.ts';

/** Cache of metadata, in blocks. */
const CACHE_BLOCKS = 1024;

/**
 * The dirty bits of a cache that nobody uses, for whoever writes blocks back: each {@link clean} is a commit, after which the metadata is that of a cache
 * shut down in order. So writing back can be interrupted anywhere, and goes on with what is left.
 */
export class DirtyBlocks {
  readonly #core: CacheCore;

  /**
   * Opens the metadata. After a crash it is put in order first: every mapped block is dirty, nothing is discarded and there are no hints, which is what
   * a target would take it for.
   */
  constructor(device: BlockDevice) {
    const blockManager = new BlockManager(device, { cacheBlocks: CACHE_BLOCKS });
    const superblock = CacheCore.readSuperblock(blockManager);
    refuseUnsupported(superblock, false);
    this.#core = CacheCore.open(blockManager, superblock);
    if (!isCleanShutdown(superblock)) this.#putInOrder();
  }

  /** Marks blocks as clean, durably. The origin has to have their content, durably. */
  clean(cacheBlocks: Iterable<number>): void {
    const core = this.#core;
    for (const block of cacheBlocks) {
      if (core.dirty !== undefined) {
        core.dirty.clear(block);
        continue;
      }
      const entry = core.mappings.get(core.mappingRoot, block);
      if (entry === undefined) continue;
      const { originBlock } = entry;
      core.mappingRoot = core.mappings.set(core.mappingRoot, block, { originBlock, flags: CACHE_MAPPING_VALID });
    }
    this.#commit();
  }

  #putInOrder(): void {
    const core = this.#core;
    writeDirtyBits(core, () => true);
    core.discards.clearRange(0, core.discardNrBlocks);
    if (core.hintRoot !== 0) core.hints.delete(core.hintRoot);
    core.hintRoot = 0;
    this.#commit();
  }

  #commit(): void {
    this.#core.commit(this.#core.flags | CACHE_FLAG_CLEAN_SHUTDOWN);
  }
}
