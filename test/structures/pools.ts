/** Small pools of known shape, made by the library itself. */

import { MemoryDevice } from '../../packages/persistent-data/src/io/index.ts';
import { ThinMetadata } from '../../packages/persistent-data/src/thin/index.ts';

/** A device and its mappings: runs of virtual block, data block, length. */
export interface DeviceShape {
  readonly id: number;
  /** Snapshot of this device, which comes before it; its own mappings are added. */
  readonly origin?: number;
  /** Virtual blocks to map, each to a fresh data block. */
  readonly mapped: readonly number[];
}

export interface PoolShape {
  readonly nrMetadataBlocks?: number;
  readonly nrDataBlocks?: number;
  readonly devices: readonly DeviceShape[];
  /** Takes a metadata snapshot at the end, then maps these blocks of the first device anew. */
  readonly afterSnapshot?: readonly number[];
}

/** All whole numbers from `begin` up to `end` (half-open), in steps. */
export function steps(begin: number, end: number, step = 1): number[] {
  return Array.from({ length: Math.ceil((end - begin) / step) }, (_, i) => begin + i * step);
}

/** Makes a pool of this shape, closed. */
export function makePool(shape: PoolShape): MemoryDevice {
  const { nrMetadataBlocks = 1024, nrDataBlocks = 20_000, devices, afterSnapshot } = shape;
  const device = new MemoryDevice({ nrBlocks: nrMetadataBlocks });
  const pool = ThinMetadata.format(device, { dataBlockSizeSectors: 128, nrDataBlocks, cacheBlocks: 512 });
  const map = (id: number, mapped: readonly number[]): void => {
    const thin = pool.openThin(id);
    for (const block of mapped) thin.insert(block, pool.allocateDataBlock());
    thin.close();
  };
  for (const { id, origin, mapped } of devices) {
    if (origin === undefined) pool.createThin(id);
    else pool.createSnapshot({ snapshot: id, origin });
    map(id, mapped);
    pool.commit();
  }
  if (afterSnapshot !== undefined) {
    pool.reserveMetadataSnapshot();
    pool.commit();
    map(devices[0]!.id, afterSnapshot);
  }
  pool.close();
  return device;
}

/** Three devices: 600 fragmented mappings, a snapshot that differs in one leaf, and one with few mappings. */
export const SNAPSHOT_POOL: PoolShape = {
  devices: [
    { id: 1, mapped: steps(0, 1800, 3) },
    { id: 2, origin: 1, mapped: [0, 3, 9] },
    { id: 7, mapped: [5, 6, 7, 100] },
  ],
};
