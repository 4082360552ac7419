/** Compares a thin pool with its model: devices, mappings, clocks, every reference count and the shape of every tree. */

import type { ThinMetadata, ThinView } from '../../packages/persistent-data/src/thin/index.ts';
import { checkPool } from '../structures/check-pool.ts';
import { PlainWalk } from '../structures/plain-walk.ts';
import { expectSame, fail } from './expectations.ts';
import type { GuardedDevice } from './guarded-device.ts';
import type { ModelDevice, ModelPool } from './thin-model.ts';

/** A view, and what it has to show. */
export interface ModelView {
  readonly view: ThinView;
  readonly model: ModelPool;
}

/** The pool is as its model, block by block. */
export function checkAgainstModel(pool: ThinMetadata, model: ModelPool, device: GuardedDevice): void {
  const isCommitted = !pool.changedThisTransaction;
  checkPool(pool, device, { isCommitted, ownedData: model.owned });
  const { time, transactionId, needsCheck, nrDataBlocks, nrMetadataBlocks } = model;
  const found = [
    pool.time,
    pool.transactionId,
    pool.needsCheck,
    pool.core.dataSpaceMap.nrBlocksUncommitted,
    pool.nrMetadataBlocks,
  ];
  expectSame(found, [time, transactionId, needsCheck, nrDataBlocks, nrMetadataBlocks], 'the pool');
  expectSame(pool.devices(), model.list(), 'the devices');
  expectSame(pool.metadataSnapshot !== 0, model.held !== undefined, 'the metadata snapshot');
  const walk = new PlainWalk(pool.core.blockManager, device);
  const roots = new Map(walk.entries(pool.core.mappingRoot));
  for (const [id, { mappings }] of model.devices) compareMappings(walk, id, roots.get(id), mappings);
}

function compareMappings(walk: PlainWalk, id: number, root: bigint | undefined, wanted: ModelDevice['mappings']): void {
  if (root === undefined) fail(`device ${id} has no tree`);
  const found = walk.entries(Number(root));
  if (found.length !== wanted.size) fail(`device ${id} maps ${found.length} blocks, ${wanted.size} are wanted`);
  for (const [key, value] of found) {
    const mapping = wanted.get(key) ?? fail(`device ${id} maps block ${key}, which it should not`);
    const packed = (BigInt(mapping.dataBlock) << 24n) | BigInt(mapping.time);
    if (value !== packed) fail(`device ${id} maps block ${key} to ${value}, ${packed} is wanted`);
  }
}

/** Views show what was committed when they were made. */
export function checkViews(views: readonly ModelView[]): void {
  for (const { view, model } of views) {
    for (const device of view.devices()) {
      const wanted = model.devices.get(device.id) ?? fail(`a view shows device ${device.id}, which it had not`);
      expectSame(device.mappedBlocks, wanted.mappings.size, 'a device of a view');
      for (const [key, { dataBlock, time }] of [...wanted.mappings].slice(0, 3)) {
        expectSame(view.find(device, key), { dataBlock, shared: wanted.snapshottedTime > time }, 'a mapping of a view');
      }
    }
  }
}
