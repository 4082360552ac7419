import { ReadOnlyError, StateError } from '../base/index.ts';
import { BlockManager, type BlockManagerStatistics } from '../block-manager/index.ts';
import { CACHE_FLAG_CLEAN_SHUTDOWN, CACHE_FLAG_NEEDS_CHECK, CACHE_MAPPING_VALID } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { CacheCore } from './cache-core.ts';
import {
  type CacheFormatOptions,
  type CacheMapping,
  type CacheMode,
  type CacheOpenOptions,
  type CacheShutdown,
  managerOptions,
} from './cache-options.ts';
import { type DirtyTest, writeDirtyBits } from './dirty-bits.ts';
import { loadDiscards, resizeDiscards, writeDiscards } from './discards.ts';
import { loadMappings, type MappingVisitor } from './load-mappings.ts';
import { isDirtyEntry, MAX_ORIGIN_BLOCK, UNMAPPED } from './mapping.ts';
import { type CachePolicy, hintSizeProblem, policyNameProblem, SMQ_POLICY, sharesHints } from './policy.ts';
import { resizeCache } from './resize.ts';
import {
  type CacheStatistics,
  type CacheVersion,
  isCacheBlockSize,
  isCleanShutdown,
  needsCheck,
  refuseUnsupported,
} from './superblock.ts';

/**
 * The metadata of a cache: which blocks of a slow device, the *origin*, have a copy in which blocks of a fast one. It moves no data.
 *
 * Mappings are stored as they change. Dirty bits, hints and discards live in core and are stored by {@link shutDown} alone, which sets a flag; opening
 * takes the flag away at once. So after a crash it is missing, and then every block counts as dirty, and there are no hints and no discards.
 *
 * Changes are kept in core until {@link commit}, which is atomic. When one throws half-way, every further call fails until {@link rollback}; when the
 * device fails, until it is opened again. Operations place every byte as the Linux kernel does.
 */
export class CacheMetadata {
  readonly #device: BlockDevice;
  readonly #blockManager: BlockManager;
  /** Whether the last end was an orderly one. */
  readonly cleanWhenOpened: boolean;
  #core: CacheCore;
  #changed = false;
  #mode: CacheMode;
  #closed = false;

  private constructor(device: BlockDevice, core: CacheCore, cleanWhenOpened: boolean) {
    this.#device = device;
    this.#core = core;
    this.#blockManager = core.blockManager;
    this.cleanWhenOpened = cleanWhenOpened;
    const mustNotWrite = this.#blockManager.readOnly || needsCheck(core);
    this.#mode = mustNotWrite ? 'read-only' : 'write';
    // First of all, before anything is cached or written back: from here on what is stored falls behind.
    if (!mustNotWrite && isCleanShutdown(core)) core.changeFlagsNow((flags) => flags & ~CACHE_FLAG_CLEAN_SHUTDOWN);
  }

  /**
   * Makes metadata without cache blocks on `device`, whose content is lost. One commit. {@link resize} gives it blocks.
   * @throws {NoSpaceError} when the device is too small.
   */
  static format(device: BlockDevice, options: CacheFormatOptions): CacheMetadata {
    const { dataBlockSizeSectors, version = 2 } = options;
    if (!isCacheBlockSize(dataBlockSizeSectors)) {
      throw new RangeError(
        `Cannot format cache: the block size is ${dataBlockSizeSectors} sectors, a multiple of 64 to 2097152 is wanted`,
      );
    }
    const core = CacheCore.format(new BlockManager(device, managerOptions(options)), version, dataBlockSizeSectors);
    core.commit(0);
    // There is nothing to distrust.
    return new CacheMetadata(device, core, true);
  }

  /**
   * Opens a cache. Takes its flag of an orderly end away, durably, unless it is opened for reading only.
   * @throws {CorruptionError} when the superblock or what it refers to directly is not believable.
   * @throws {UnsupportedError} when its version, a feature flag or the width of its hints is not known.
   * @throws {StateError} when its blocks are of another size than was said.
   */
  static open(device: BlockDevice, options: CacheOpenOptions = {}): CacheMetadata {
    const { dataBlockSizeSectors, formatBlank } = options;
    if (formatBlank !== undefined && CacheCore.isBlank(device)) {
      if (dataBlockSizeSectors === undefined) throw new RangeError('Cannot format cache: no block size was given');
      return CacheMetadata.format(device, { ...options, dataBlockSizeSectors, version: formatBlank });
    }
    const blockManager = new BlockManager(device, managerOptions(options));
    const superblock = CacheCore.readSuperblock(blockManager);
    refuseUnsupported(superblock, blockManager.readOnly);
    if (dataBlockSizeSectors !== undefined && dataBlockSizeSectors !== superblock.dataBlockSize) {
      const found = `its blocks have ${superblock.dataBlockSize} sectors, ${dataBlockSizeSectors} are wanted`;
      throw new StateError(`Cannot open cache: ${found}`);
    }
    return new CacheMetadata(device, CacheCore.open(blockManager, superblock), isCleanShutdown(superblock));
  }

  /** The state in core; for this layer's own tools. Replaced by a rollback. */
  get core(): CacheCore {
    return this.#core;
  }

  /** The device that the metadata is on. What can be read there is the last commit. */
  get device(): BlockDevice {
    return this.#device;
  }

  /** 1: dirty bits are in the mappings; 2: in a bitset. */
  get version(): CacheVersion {
    return this.#core.version;
  }

  get mode(): CacheMode {
    return this.#blockManager.failure === undefined ? this.#mode : 'fail';
  }

  get dataBlockSizeSectors(): number {
    return this.#core.dataBlockSizeSectors;
  }

  /** Blocks of the fast device. */
  get cacheBlocks(): number {
    return this.#core.cacheBlocks;
  }

  /** The policy that stored hints last. */
  get policy(): CachePolicy {
    return this.#core.policy;
  }

  get statistics(): CacheStatistics {
    return this.#core.statistics;
  }

  /** Stored with the next commit. */
  set statistics(statistics: CacheStatistics) {
    this.#core.statistics = statistics;
  }

  get needsCheck(): boolean {
    return needsCheck(this.#core);
  }

  get nrMetadataBlocks(): number {
    return this.#core.spaceMap.nrBlocks;
  }

  get nrFreeMetadata(): number {
    return this.#core.spaceMap.nrFree;
  }

  get discards(): { readonly blockSizeSectors: number; readonly nrBlocks: number } {
    return { blockSizeSectors: this.#core.discardBlockSizeSectors, nrBlocks: this.#core.discardNrBlocks };
  }

  get blockManagerStatistics(): BlockManagerStatistics {
    return this.#blockManager.statistics;
  }

  /** Whether anything was changed since the last commit. */
  get changedThisTransaction(): boolean {
    return this.#changed;
  }

  /** Maps a cache block, in place of what it mapped; clean. @throws {RangeError} when there is no such cache block or origin block. */
  insert(cacheBlock: number, originBlock: number): void {
    this.#refuseBlock(cacheBlock);
    if (!(Number.isInteger(originBlock) && originBlock >= 0 && originBlock <= MAX_ORIGIN_BLOCK)) {
      throw new RangeError(`Cannot map origin block ${originBlock}: an integer below 2^48 is wanted`);
    }
    this.#change(`map cache block ${cacheBlock}`, (core) => {
      const entry = { originBlock, flags: CACHE_MAPPING_VALID };
      core.mappingRoot = core.mappings.set(core.mappingRoot, cacheBlock, entry);
      forgetDirty(core, cacheBlock);
    });
  }

  /** Unmaps a cache block. It must not be mapped again, nor its data overwritten, before this is committed. */
  remove(cacheBlock: number): void {
    this.#refuseBlock(cacheBlock);
    this.#change(`unmap cache block ${cacheBlock}`, (core) => {
      core.mappingRoot = core.mappings.set(core.mappingRoot, cacheBlock, UNMAPPED);
      forgetDirty(core, cacheBlock);
    });
  }

  /** What a cache block maps; `undefined` when it maps nothing. */
  mapping(cacheBlock: number): CacheMapping | undefined {
    this.#refuseBlock(cacheBlock);
    this.#refuseUnusable('look a mapping up');
    const core = this.#core;
    const entry = core.mappings.get(core.mappingRoot, cacheBlock);
    if (entry === undefined || (entry.flags & CACHE_MAPPING_VALID) === 0) return undefined;
    const dirty = core.dirty === undefined ? isDirtyEntry(entry.flags) : core.dirty.test(cacheBlock);
    return { originBlock: entry.originBlock, dirty };
  }

  /** Whether the hints that are stored are of use to a policy: after an orderly end of the same policy alone. */
  hasHintsFor(policy: CachePolicy): boolean {
    return this.cleanWhenOpened && this.#core.hintRoot !== 0 && sharesHints(this.#core.policy, policy);
  }

  /**
   * Visits all mappings in order of cache blocks, as a target does when it is opened. Unless the last end was an orderly one, every block comes as
   * dirty and without a hint.
   *
   * @param options.policy - Whose hints are wanted; default smq.
   * @param options.originBlocks - Blocks of the origin. Default: any may be mapped.
   * @throws {CorruptionError} when mappings cannot be believed, or one is beyond the origin.
   */
  loadMappings(
    visit: MappingVisitor,
    options: { readonly policy?: CachePolicy; readonly originBlocks?: number } = {},
  ): void {
    this.#refuseUnusable('load mappings');
    const { policy = SMQ_POLICY, originBlocks = Number.POSITIVE_INFINITY } = options;
    const believesHints = this.hasHintsFor(policy);
    loadMappings(this.#core, { believesDirty: this.cleanWhenOpened, believesHints, originBlocks }, visit);
  }

  /** Visits the regions of the origin that are stored as discarded. None after a crash. */
  loadDiscards(visit: (region: number) => void): void {
    this.#refuseUnusable('load discards');
    if (this.cleanWhenOpened) loadDiscards(this.#core, visit);
  }

  /** Whether no mapped block is stored as dirty; without an orderly end, whether nothing is mapped. */
  get isAllClean(): boolean {
    let clean = true;
    this.loadMappings((_block, _origin, dirty) => {
      clean &&= !dirty;
    });
    return clean;
  }

  /**
   * Changes the number of cache blocks, as that of the fast device; new blocks map nothing. Commit afterwards.
   *
   * @param isDirty - Whether a block is dirty in core. Default: as stored; after a crash all are.
   * @throws {StateError} when blocks that would go are dirty; nothing is changed then.
   */
  resize(cacheBlocks: number, isDirty: DirtyTest = () => !this.cleanWhenOpened): void {
    this.#change(`resize cache to ${cacheBlocks} blocks`, (core) => resizeCache(core, cacheBlocks, isDirty));
  }

  /** Changes the regions of the origin that discards are counted in: of 512-byte sectors, and how many. New ones are not discarded. */
  resizeDiscards(blockSizeSectors: number, nrBlocks: number): void {
    this.#change('resize discards', (core) => resizeDiscards(core, blockSizeSectors, nrBlocks));
  }

  /** Stores which blocks are dirty. Part of {@link shutDown}. */
  writeDirtyBits(isDirty: DirtyTest): void {
    this.#change('write dirty bits', (core) => writeDirtyBits(core, isDirty));
  }

  /** Stores which regions are discarded. Part of {@link shutDown}. */
  writeDiscards(isDiscarded: (region: number) => boolean): void {
    this.#change('write discards', (core) => writeDiscards(core, isDiscarded));
  }

  /**
   * Stores hints, in place of those that are there. Part of {@link shutDown}.
   * @throws {RangeError} when a superblock cannot name the policy, or its hints are of another width than 4 or 0 bytes.
   */
  writeHints(policy: CachePolicy, hintAt: (cacheBlock: number) => number): void {
    const problem = policyNameProblem(policy.name) ?? hintSizeProblem(policy.hintSize);
    if (problem !== undefined) throw new RangeError(`Cannot write hints of policy "${policy.name}": ${problem}`);
    this.#change('write hints', (core) => {
      core.policy = policy;
      if (core.hintRoot !== 0) core.hints.delete(core.hintRoot);
      core.hintRoot = 0;
      if (policy.hintSize > 0) core.hintRoot = core.hints.create(core.cacheBlocks, hintAt);
    });
  }

  /** Makes all changes durable. The flag of an orderly end is cleared. Does nothing when nothing was changed. */
  commit(): void {
    this.#commit(false);
  }

  /**
   * Ends in order: stores dirty bits, discards, statistics and hints, and commits with the flag set. What fails is remembered and the rest still
   * tried; then the flag stays clear.
   *
   * @returns What failed. @throws what the commit throws.
   */
  shutDown({ isDirty, statistics, discards, policy = SMQ_POLICY, hintAt = () => 0 }: CacheShutdown): unknown[] {
    this.#refuseUnwritable('shut down');
    const failures: unknown[] = [];
    const attempt = (step: () => void): void => {
      try {
        step();
      } catch (error) {
        failures.push(error);
      }
    };
    attempt(() => this.writeDirtyBits(isDirty));
    if (discards !== undefined) {
      attempt(() => {
        this.resizeDiscards(discards.blockSizeSectors, discards.nrBlocks);
        this.writeDiscards(discards.isDiscarded);
      });
    }
    if (statistics !== undefined) this.statistics = statistics;
    attempt(() => this.writeHints(policy, hintAt));
    this.#changed = true;
    this.#commit(failures.length === 0);
    return failures;
  }

  /** Throws away all changes since the last commit. */
  rollback(): void {
    if (this.#closed) throw new StateError('Cannot roll back: the cache is closed');
    this.#blockManager.reset();
    try {
      this.#core = CacheCore.open(this.#blockManager, CacheCore.readSuperblock(this.#blockManager));
    } catch (error) {
      // The roots in core lead to blocks that are forgotten. The next rollback may succeed.
      this.#core.tm.markBroken(error);
      throw error;
    }
    this.#changed = false;
  }

  /**
   * What a target does when a change failed: rolls back, sets the flag needs_check, and from then on reads only. When even that fails, nothing
   * works any more. @returns The mode from now on.
   */
  abort(): CacheMode {
    try {
      this.rollback();
      this.setNeedsCheck();
      this.#mode = 'read-only';
    } catch {
      this.#mode = 'fail';
    }
    return this.#mode;
  }

  /** Sets the flag needs_check, durably, outside of the transaction. @throws {StateError} when there are changes to commit. */
  setNeedsCheck(): void {
    this.#refuseUnwritable('set needs_check');
    if (this.#changed) throw new StateError('Cannot set needs_check: there are changes, commit or roll back first');
    this.#core.changeFlagsNow((flags) => flags | CACHE_FLAG_NEEDS_CHECK);
  }

  /** Commits if that is possible, and ends. Not an orderly end in the sense of {@link shutDown}. */
  close(): void {
    if (this.#closed) return;
    try {
      if (this.#changed && this.mode === 'write' && this.#core.tm.broken === undefined) this.commit();
    } finally {
      this.#closed = true;
    }
  }

  #commit(cleanShutdown: boolean): void {
    this.#refuseUnwritable('commit');
    if (!this.#changed) return;
    const { flags } = this.#core;
    const others = flags & ~CACHE_FLAG_CLEAN_SHUTDOWN;
    this.#core.commit(cleanShutdown ? others | CACHE_FLAG_CLEAN_SHUTDOWN : others);
    this.#changed = false;
  }

  #change(action: string, change: (core: CacheCore) => void): void {
    this.#refuseUnwritable(action);
    // Before, as a change that fails may be half done.
    this.#changed = true;
    change(this.#core);
  }

  #refuseUnwritable(action: string): void {
    this.#refuseUnusable(action);
    this.#core.tm.refuseIfReadOnly(action);
    if (this.#mode === 'write') return;
    const why = this.needsCheck
      ? 'it has to be checked first (cache_check --clear-needs-check-flag)'
      : 'it is read-only';
    throw new ReadOnlyError(`Cannot ${action}: ${why}`);
  }

  #refuseUnusable(action: string): void {
    if (this.#closed) throw new StateError(`Cannot ${action}: the cache is closed`);
    if (this.#mode === 'fail') throw new ReadOnlyError(`Cannot ${action}: the metadata has failed`);
    this.#core.tm.refuseIfBroken(action);
  }

  #refuseBlock(cacheBlock: number): void {
    const { cacheBlocks } = this.#core;
    if (Number.isInteger(cacheBlock) && cacheBlock >= 0 && cacheBlock < cacheBlocks) return;
    throw new RangeError(`Cannot use cache block ${cacheBlock}: the cache has ${cacheBlocks} blocks`);
  }
}

/** Version 2: a bit that was stored at the last orderly end must not outlive its mapping. */
function forgetDirty({ dirty }: CacheCore, cacheBlock: number): void {
  if (dirty?.test(cacheBlock)) dirty.clear(cacheBlock);
}
