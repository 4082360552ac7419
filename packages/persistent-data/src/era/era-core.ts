import { PersistentArray } from '../array/index.ts';
import { CorruptionError, NoSpaceError, StateError } from '../base/index.ts';
import { Bitset } from '../bitset/index.ts';
import type { BlockManager } from '../block-manager/index.ts';
import { Btree, PLAIN_U32 } from '../btree/index.ts';
import { createMetadata, type Metadata, type MetadataSpaceMap, openMetadata } from '../disk-space-map/index.ts';
import { ERA_SUPERBLOCK_VALIDATOR, SUPERBLOCK_LOCATION } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { type EraSuperblock, readEraSuperblock, refuseImpossible, writeEraSuperblock } from './superblock.ts';
import { type Writeset, writesetType } from './writeset.ts';

/** The writeset of the current era, in core. */
export interface CurrentWriteset {
  readonly nrBits: number;
  readonly bits: Bitset;
}

/**
 * An era device's metadata in core, from one opening to the next: the space map, the kinds of structures, their roots, and what else a commit
 * writes into the superblock. A rollback throws it away and opens another.
 */
export class EraCore {
  readonly blockManager: BlockManager;
  readonly tm: TransactionManager;
  readonly spaceMap: MetadataSpaceMap;
  /** Archived writesets by era. */
  readonly writesets: Btree<Writeset>;
  /** Element b: the era of the last digested write of block b; 0: never. */
  readonly eras: PersistentArray<number>;
  readonly dataBlockSizeSectors: number;
  writesetTreeRoot = 0;
  eraArrayRoot = 0;
  nrBlocks = 0;
  currentEra = 0;
  /** `undefined`: archived, or not begun. */
  current: CurrentWriteset | undefined;
  /** What the superblock says of its length where there is none. */
  lastNrBits = 0;
  /** Block of the metadata snapshot, or 0. */
  metadataSnap = 0;

  private constructor(blockManager: BlockManager, { tm, spaceMap }: Metadata, dataBlockSizeSectors: number) {
    this.blockManager = blockManager;
    this.tm = tm;
    this.spaceMap = spaceMap;
    this.dataBlockSizeSectors = dataBlockSizeSectors;
    this.writesets = new Btree(tm, { valueType: writesetType(tm) });
    this.eras = new PersistentArray(tm, PLAIN_U32);
  }

  /** Formats a device whose superblock is of no value any more: no blocks, era 0. Not committed. */
  static format(blockManager: BlockManager, dataBlockSizeSectors: number): EraCore {
    const core = new EraCore(blockManager, createMetadata(blockManager), dataBlockSizeSectors);
    core.writesetTreeRoot = core.writesets.empty();
    core.eraArrayRoot = core.eras.empty();
    blockManager.unlock(blockManager.writeLockZero(SUPERBLOCK_LOCATION, ERA_SUPERBLOCK_VALIDATOR));
    return core;
  }

  /** Opens what a superblock says; takes over the current writeset that a crash left. @throws {CorruptionError} */
  static open(blockManager: BlockManager, superblock: EraSuperblock): EraCore {
    refuseImpossible(superblock, blockManager.nrBlocks);
    const metadata = openMetadata(blockManager, superblock.metadataSpaceMapRoot);
    const core = new EraCore(blockManager, metadata, superblock.dataBlockSize);
    const { nrBits, root } = superblock.currentWriteset;
    core.writesetTreeRoot = superblock.writesetTreeRoot;
    core.eraArrayRoot = superblock.eraArrayRoot;
    core.nrBlocks = superblock.nrBlocks;
    core.currentEra = superblock.currentEra;
    core.metadataSnap = superblock.metadataSnap;
    core.lastNrBits = nrBits;
    if (root !== 0) core.current = { nrBits, bits: new Bitset(core.tm, root) };
    return core;
  }

  /** Reads and decodes the superblock on the disk. @throws {CorruptionError} when it is not one. */
  static readSuperblock(blockManager: BlockManager): EraSuperblock {
    const base = blockManager.read(SUPERBLOCK_LOCATION, ERA_SUPERBLOCK_VALIDATOR);
    return readEraSuperblock(blockManager.slab, base);
  }

  /** Makes all durable: metadata, flush, superblock, flush. A failure leaves the transaction broken. */
  commit(): void {
    this.#guard(() => {
      const root = this.current?.bits.flush() ?? 0;
      this.tm.preCommit();
      this.#writeSuperblock(root);
    });
  }

  /**
   * The commit of a format, after which the space map's index and root lack the last two blocks allocated, as the kernel has it. The bitmap
   * counts them, and the other two are hints.
   */
  commitFormat(): void {
    this.#guard(() => {
      this.blockManager.flush();
      this.#writeSuperblock(0);
    });
  }

  /** The second phase. Nothing was allocated since the first one: the space map's root is final. */
  #writeSuperblock(root: number): void {
    const { tm, blockManager, current } = this;
    const base = blockManager.writeLock(SUPERBLOCK_LOCATION, ERA_SUPERBLOCK_VALIDATOR);
    writeEraSuperblock(blockManager.slab, base, {
      flags: 0,
      metadataSpaceMapRoot: this.spaceMap.root,
      dataBlockSize: this.dataBlockSizeSectors,
      nrBlocks: this.nrBlocks,
      currentEra: this.currentEra,
      currentWriteset: { nrBits: current?.nrBits ?? this.lastNrBits, root },
      writesetTreeRoot: this.writesetTreeRoot,
      eraArrayRoot: this.eraArrayRoot,
      metadataSnap: this.metadataSnap,
    });
    tm.commit(base);
  }

  #guard(commit: () => void): void {
    try {
      commit();
    } catch (error) {
      // In core this commit is done, on the disk it may not be: blocks that the disk still refers to would be handed out.
      this.tm.markBroken(error);
      throw error;
    }
  }

  /** Moves the current writeset into the tree, where there is one. */
  archive(): void {
    const { current } = this;
    if (current === undefined) return;
    const value = { nrBits: current.nrBits, root: current.bits.flush() };
    this.writesetTreeRoot = this.writesets.insert(this.writesetTreeRoot, this.currentEra, value);
    this.current = undefined;
    this.lastNrBits = current.nrBits;
  }

  /** Begins a new era: archives the current writeset and makes an empty one. */
  rollOver(): void {
    if (this.currentEra >= 0xffff_ffff)
      throw new StateError(`Cannot begin an era: the current one is ${this.currentEra}, the last that there is`);
    this.archive();
    const { nrBlocks } = this;
    this.current = { nrBits: nrBlocks, bits: Bitset.create(this.tm, nrBlocks) };
    this.currentEra++;
  }

  /** What the era array says of a block. @throws {CorruptionError} when it is too short. */
  digestedEraOf(block: number): number {
    const era = this.eras.get(this.eraArrayRoot, block);
    if (era !== undefined) return era;
    const message = `Cannot use the era array: it has no element ${block}, ${this.nrBlocks} are wanted`;
    throw new CorruptionError(message, { block: this.eraArrayRoot, kind: 'btree_node', field: 'nrEntries' });
  }

  /** @throws {NoSpaceError} when only the reserve is left and `nrWanted` blocks more: a digestion may give blocks back. */
  refuseIfOutOfMetadata(action: string, nrWanted = 1): void {
    if (this.spaceMap.nrFreeForWork >= nrWanted) return;
    const { nrFree, reserve } = this.spaceMap;
    const wanted = `${nrWanted} more than the reserve of ${reserve} are wanted`;
    throw new NoSpaceError(`Cannot ${action}: ${nrFree} metadata blocks are free, ${wanted}`, 'metadata');
  }
}

/**
 * Runs a use of a writeset's bits.
 * @throws {CorruptionError} in place of the `StateError` for a bitset that is shorter than its owner says.
 */
export function longEnough<R>(core: EraCore, era: number, { nrBits, root }: Writeset, use: () => R): R {
  try {
    return use();
  } catch (error) {
    if (!(error instanceof StateError) || core.tm.broken !== undefined) throw error;
    const message = `Cannot use the writeset of era ${era}: its bitset has less than the ${nrBits} bits that it should have`;
    const place = { ...(root === 0 ? {} : { block: root }), kind: 'btree_node', field: 'nrBits', found: nrBits };
    throw new CorruptionError(message, place, { cause: error });
  }
}
