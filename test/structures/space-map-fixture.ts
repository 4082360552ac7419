/** A metadata device with its own space map on it, and a data space map beside it: without a target, for tests of the maps. */

import { BlockManager } from '../../packages/persistent-data/src/block-manager/index.ts';
import {
  createMetadata,
  DataSpaceMap,
  KeptVersions,
  type Metadata,
  openMetadata,
} from '../../packages/persistent-data/src/disk-space-map/index.ts';
import { BITMAP_VALIDATOR, type SpaceMapRoot } from '../../packages/persistent-data/src/format/index.ts';
import { type BlockDevice, MemoryDevice } from '../../packages/persistent-data/src/io/index.ts';
import { countsDiffer, PlainWalk, PlainWalkError } from './plain-walk.ts';

export interface SpaceMapOptions {
  readonly nrBlocks?: number;
  readonly cacheBlocks?: number;
  /** Blocks of the data map; without it there is none. */
  readonly nrDataBlocks?: number;
  readonly device?: BlockDevice;
}

interface Roots {
  readonly metadata: SpaceMapRoot;
  readonly data: SpaceMapRoot | undefined;
}

/** Block 0 stands for the superblock; the roots that it would hold are kept in core. */
export class SpaceMapFixture {
  readonly device: BlockDevice;
  readonly blockManager: BlockManager;
  readonly kept = { metadata: new KeptVersions(), data: new KeptVersions() };
  metadata: Metadata;
  data: DataSpaceMap | undefined;
  /** Metadata blocks that the test has allocated, in core, each with its count. They stand for the target's own trees. */
  readonly owned = new Map<number, number>();
  #committed: Roots;
  #committedOwned = new Map<number, number>();

  constructor(options: SpaceMapOptions = {}) {
    const { nrBlocks = 1024, cacheBlocks = 256, nrDataBlocks } = options;
    this.device = options.device ?? new MemoryDevice({ nrBlocks });
    this.blockManager = new BlockManager(this.device, { cacheBlocks });
    this.metadata = createMetadata(this.blockManager, { nrBlocks, kept: this.kept.metadata });
    if (nrDataBlocks !== undefined) this.data = DataSpaceMap.create(this.tm, nrDataBlocks, this.kept.data);
    this.#committed = this.#roots();
    this.commit();
  }

  get tm() {
    return this.metadata.tm;
  }

  get spaceMap() {
    return this.metadata.spaceMap;
  }

  /** The data map, where there is one. */
  get dataMap(): DataSpaceMap {
    if (this.data === undefined) throw new Error('the fixture was made without a data map');
    return this.data;
  }

  commit(): void {
    this.data?.commit();
    this.tm.preCommit();
    this.#committed = this.#roots();
    this.tm.commit(this.blockManager.writeLockZero(0, BITMAP_VALIDATOR));
    this.#committedOwned = new Map(this.owned);
  }

  /** Back to the last commit: what a rollback does, or closing and opening again. */
  rollback(): void {
    this.blockManager.reset();
    this.metadata = openMetadata(this.blockManager, this.#committed.metadata, this.kept.metadata);
    if (this.#committed.data) this.data = DataSpaceMap.open(this.tm, this.#committed.data, this.kept.data);
    this.owned.clear();
    for (const [b, count] of this.#committedOwned) this.owned.set(b, count);
  }

  /** A block for the test itself. */
  allocate(): number {
    const b = this.spaceMap.newBlock();
    this.owned.set(b, 1);
    return b;
  }

  addOwned(b: number, delta: number): void {
    const count = (this.owned.get(b) ?? 0) + delta;
    if (count === 0) this.owned.delete(b);
    else this.owned.set(b, count);
  }

  #roots(): Roots {
    return { metadata: this.spaceMap.root, data: this.data?.root };
  }

  /**
   * Compares both maps with what refers to their blocks.
   *
   * In the midst of a transaction the bitmaps are known to the maps alone: so many blocks are counted once without a reference.
   * @param isCommitted - Right after a commit all is on the disk, and is checked to the last field.
   */
  check(isCommitted: boolean): void {
    const walk = new PlainWalk(this.blockManager, this.device);
    const { spaceMap, data } = this;
    walk.refer(0);
    for (const [b, count] of this.owned) for (let i = 0; i < count; i++) walk.refer(b);
    let bitmaps = 0;
    if (isCommitted) {
      const { counts } = walk.spaceMap(spaceMap.root, 'metadata');
      if (data) walk.spaceMap(data.root, 'data');
      const differ = countsDiffer(counts, walk.references.subarray(0, spaceMap.nrBlocks));
      if (differ !== undefined) throw new PlainWalkError(`on the disk: ${differ}`);
    } else {
      walk.refer(spaceMap.root.bitmapRoot);
      walk.tree(spaceMap.root.refCountRoot, 4);
      bitmaps = Math.ceil(spaceMap.nrBlocks / 16320);
      if (data) {
        walk.tree(data.root.bitmapRoot, 16);
        walk.tree(data.root.refCountRoot, 4);
        bitmaps += Math.ceil(data.nrBlocksUncommitted / 16320);
      }
    }
    expectCounts(spaceMap, walk.references, bitmaps);
    if (this.blockManager.nrLocked !== 0) throw new PlainWalkError(`${this.blockManager.nrLocked} locks are held`);
  }
}

/** Compares a map's counts in core with references, but for `nrBitmaps` blocks that are counted once and that nothing known refers to. */
export function expectCounts(
  map: { readonly nrBlocks: number; getCount(b: number): number; readonly root: SpaceMapRoot },
  references: Uint32Array,
  nrBitmaps: number,
): void {
  let unknown = 0;
  let allocated = 0;
  for (let b = 0; b < map.nrBlocks; b++) {
    const count = map.getCount(b);
    if (count > 0) allocated++;
    if (count === references[b]) continue;
    if (count === 1 && references[b] === 0) unknown++;
    else throw new PlainWalkError(`block ${b} is counted ${count}, ${references[b]} references lead to it`);
  }
  if (unknown !== nrBitmaps)
    throw new PlainWalkError(`${unknown} blocks have no owner, there are ${nrBitmaps} bitmaps`);
  if (allocated !== map.root.nrAllocated) {
    throw new PlainWalkError(`${allocated} blocks are allocated, nr_allocated is ${map.root.nrAllocated}`);
  }
}
