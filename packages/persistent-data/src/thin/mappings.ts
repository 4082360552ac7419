import { StateError } from '../base/index.ts';
import type { BlockReader } from '../transaction-manager/index.ts';
import { dataBlockAt, MAX_DATA_BLOCK, MAX_TIME, timeAt } from './block-time.ts';
import type { ThinDeviceState } from './device-list.ts';
import type { PoolCore } from './pool-core.ts';
import type { MappedRange, Mapping } from './thin-device.ts';

/** @throws {RangeError} when `begin..end` is no range of block numbers. */
export function checkRange(begin: number, end: number): void {
  if (Number.isSafeInteger(begin) && Number.isSafeInteger(end) && begin >= 0 && begin <= end) return;
  throw new RangeError(`Cannot use the range ${begin} to ${end}: integers from 0 on, in order, are wanted`);
}

/** Looks a virtual block up. `shared` is told by the snapshot clock, without a look at any count. */
export function findMapping(
  core: PoolCore,
  device: ThinDeviceState,
  virtualBlock: number,
  reader: BlockReader = core.tm,
): Mapping | undefined {
  const at = core.mappings.find(core.mappingRoot, core.keysOf(device.id, virtualBlock), reader);
  if (at < 0) return undefined;
  const { slab } = core.blockManager;
  return { dataBlock: dataBlockAt(slab, at), shared: device.snapshottedTime > timeAt(slab, at) };
}

/** The first run of mappings in `begin..end` whose virtual and data blocks advance together and that are all shared, or none; at most `limit` blocks of it. */
export function findMappedRange(
  core: PoolCore,
  device: ThinDeviceState,
  begin: number,
  end: number,
  limit = Number.POSITIVE_INFINITY,
): MappedRange | undefined {
  checkRange(begin, end);
  if (begin === end) return undefined;
  const first = core.mappings.lookupNext(core.mappingRoot, [device.id, begin]);
  if (first === undefined || first.key >= end) return undefined;
  const from = Number(first.key);
  const { dataBlock } = first.value;
  const maybeShared = device.snapshottedTime > first.value.time;
  let to = from + 1;
  const longest = Math.min(end, from + limit);
  for (; to < longest; to++) {
    const next = findMapping(core, device, to);
    if (next === undefined || next.dataBlock !== dataBlock + (to - from) || next.shared !== maybeShared) break;
  }
  return { begin: from, end: to, dataBegin: dataBlock, maybeShared };
}

/** Maps `count` virtual blocks to as many data blocks; the caller's references to these pass on. */
export function insertMappings(
  core: PoolCore,
  device: ThinDeviceState,
  virtualBegin: number,
  dataBegin: number,
  count: number,
): void {
  checkRange(virtualBegin, virtualBegin + count);
  checkDataRange(core, dataBegin, dataBegin + count);
  // What a mapping holds. Only a damaged superblock has a later time.
  if (core.time > MAX_TIME) throw new StateError(`Cannot map blocks: the snapshot clock is at ${core.time}`);
  for (let i = 0; i < count; i++) insertMapping(core, device, virtualBegin + i, dataBegin + i);
}

/** @throws {RangeError} when `begin..end` is not a range of the pool's data blocks. */
function checkDataRange(core: PoolCore, begin: number, end: number): void {
  const nrBlocks = Math.min(core.dataSpaceMap.nrBlocksUncommitted, MAX_DATA_BLOCK + 1);
  if (Number.isInteger(begin) && begin >= 0 && end <= nrBlocks) return;
  const outside = end > nrBlocks && begin >= 0 ? Math.max(begin, nrBlocks) : begin;
  throw new RangeError(`Cannot map to data block ${outside}: the pool has ${nrBlocks}`);
}

function insertMapping(core: PoolCore, device: ThinDeviceState, virtualBlock: number, dataBlock: number): void {
  core.refuseIfOutOfMetadata(`map virtual block ${virtualBlock} of thin device ${device.id}`);
  const value = { dataBlock, time: core.time };
  core.mappingRoot = core.mappings.insert(core.mappingRoot, core.keysOf(device.id, virtualBlock), value);
  if (core.mappings.insertWasNew) device.mappedBlocks++;
  // The kernel writes the details of a device whose mappings changed, whether or not their number did.
  device.detailsChanged = true;
  device.changedThisTransaction = true;
}

/**
 * Unmaps `begin..end`. The device's tree is taken out of the first level meanwhile, so that it can be changed as a tree of one level: its
 * count is raised first, so that taking it out does not delete it.
 */
export function removeMappings(core: PoolCore, device: ThinDeviceState, begin: number, end: number): number {
  checkRange(begin, end);
  const { tm, topLevel, deviceTree } = core;
  let root = core.deviceRoot(device.id);
  let removed = 0;
  tm.inc(root);
  core.mappingRoot = topLevel.remove(core.mappingRoot, device.id);
  for (let from = begin; from < end; ) {
    const next = deviceTree.lookupNext(root, from);
    if (next === undefined || next.key >= end) break;
    const result = deviceTree.removeLeaves(root, next.key, end);
    root = result.root;
    removed += result.count;
    from = Number(next.key) + 1;
  }
  core.mappingRoot = topLevel.insert(core.mappingRoot, device.id, root);
  device.mappedBlocks -= removed;
  device.detailsChanged = true;
  device.changedThisTransaction = true;
  return removed;
}
