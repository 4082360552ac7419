import { THIN_SUPERBLOCK, THIN_SUPERBLOCK_VALIDATOR } from '../../packages/persistent-data/src/format/index.ts';
import type { BlockDevice } from '../../packages/persistent-data/src/io/index.ts';
import type { ThinMetadata } from '../../packages/persistent-data/src/thin/index.ts';
import { countsDiffer, PlainWalk, PlainWalkError, u64At } from './plain-walk.ts';
import { expectCounts } from './space-map-fixture.ts';

export interface CheckPoolOptions {
  /** Right after a commit: all is on the disk, and is checked to the last field. */
  readonly isCommitted: boolean;
  /** References to data blocks that the test itself owns. */
  readonly ownedData?: ReadonlyMap<number, number>;
}

/**
 * Compares all reference counts of a thin pool, in core and uncommitted changes included, with a plain walk of everything that refers to a
 * block, and checks the shape of all trees.
 *
 * @throws {PlainWalkError} that says the first thing that is wrong.
 */
export function checkPool(metadata: ThinMetadata, device: BlockDevice, options: CheckPoolOptions): void {
  const { core } = metadata;
  const { blockManager, spaceMap, dataSpaceMap } = core;
  const walk = new PlainWalk(blockManager, device);
  const data = new Uint32Array(dataSpaceMap.nrBlocksUncommitted);
  for (const [b, count] of options.ownedData ?? []) data[b]! += count;
  const visitTrees = (mappingRoot: number, detailsRoot: number): void => {
    walk.tree(mappingRoot, 8, (_id, words, at) => {
      walk.tree(u64At(words, at), 8, (virtualBlock, leaf, value) => {
        const dataBlock = leaf[value + 1]! * 256 + (leaf[value]! >>> 24);
        if (dataBlock >= data.length)
          throw new PlainWalkError(`${virtualBlock} is mapped to ${dataBlock}, beyond the end`);
        data[dataBlock]!++;
      });
    });
    walk.tree(detailsRoot, 24);
  };
  walk.refer(0);
  visitTrees(core.mappingRoot, core.detailsRoot);
  if (core.heldRoot !== 0) {
    walk.refer(core.heldRoot);
    const { words, base } = walk.block(core.heldRoot, THIN_SUPERBLOCK_VALIDATOR);
    visitTrees(
      u64At(words, base + THIN_SUPERBLOCK.word('dataMappingRoot')),
      u64At(words, base + THIN_SUPERBLOCK.word('deviceDetailsRoot')),
    );
  }
  let nrBitmaps = 0;
  if (options.isCommitted) {
    const counted = walk.spaceMap(spaceMap.root, 'metadata').counts;
    const countedData = walk.spaceMap(dataSpaceMap.root, 'data').counts;
    const differ =
      countsDiffer(counted, walk.references.subarray(0, spaceMap.nrBlocks)) ?? countsDiffer(countedData, data);
    if (differ !== undefined) throw new PlainWalkError(`on the disk: ${differ}`);
  } else {
    // The bitmaps of now are known to the maps alone; what the index on the disk says is older.
    walk.refer(spaceMap.root.bitmapRoot);
    walk.tree(spaceMap.root.refCountRoot, 4);
    walk.tree(dataSpaceMap.root.bitmapRoot, 16);
    walk.tree(dataSpaceMap.root.refCountRoot, 4);
    nrBitmaps = Math.ceil(spaceMap.nrBlocks / 16320) + Math.ceil(dataSpaceMap.nrBlocksUncommitted / 16320);
  }
  expectCounts(spaceMap, walk.references, nrBitmaps);
  for (let b = 0; b < data.length; b++) {
    const count = dataSpaceMap.getCount(b);
    if (count !== data[b])
      throw new PlainWalkError(`data block ${b} is counted ${count}, ${data[b]} references lead to it`);
  }
  if (blockManager.nrLocked !== 0) throw new PlainWalkError(`${blockManager.nrLocked} locks are held`);
}
