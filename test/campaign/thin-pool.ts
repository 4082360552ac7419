/** Small thin pools for campaigns, and what has to be true of one that was found on a disk. */

import type { BlockDevice } from 'persistent-data/io';
import { MemoryDevice } from 'persistent-data/io';
import { auditThin, describePool, type Random, ThinPlayer, type ThinPlayerOptions } from 'persistent-data/testing';
import { ThinMetadata } from 'persistent-data/thin';

export const DATA_BLOCK_SECTORS = 128;

const formatted = new Map<string, MemoryDevice>();

/** A disk with an empty pool. */
export function emptyPool(nrMetadataBlocks: number, nrDataBlocks: number): MemoryDevice {
  const key = `${nrMetadataBlocks} ${nrDataBlocks}`;
  let device = formatted.get(key);
  if (device === undefined) {
    device = new MemoryDevice({ nrBlocks: nrMetadataBlocks });
    ThinPlayer.format(device, { dataBlockSizeSectors: DATA_BLOCK_SECTORS, nrDataBlocks });
    formatted.set(key, device);
  }
  return device.fork();
}

/** Options of a player on a pool of {@link emptyPool}. */
export function playerOptions(nrMetadataBlocks: number, nrDataBlocks: number, random: Random): ThinPlayerOptions {
  const cacheBlocks = random.pick([32, 32, 64, 256]);
  return { dataBlockSizeSectors: DATA_BLOCK_SECTORS, nrDataBlocks, nrMetadataBlocks, cacheBlocks };
}

/** What is wrong with a disk that must hold one of the `allowed` states; `undefined` when nothing is. */
export function poolProblem(device: BlockDevice, allowed: readonly string[]): string | undefined {
  const { problems, pool } = auditThin(device);
  if (problems.length > 0) return problems.slice(0, 3).join('; ');
  if (pool === undefined) return 'there is no pool';
  const found = describePool(pool);
  if (allowed.includes(found)) return undefined;
  const shown = (text: string) => text.slice(0, 600).replaceAll('\n', ' | ');
  return `it holds what it must not:\n  found   ${shown(found)}\n  allowed ${allowed.map(shown).join('\n      or  ')}`;
}

/** Uses a pool that was found on a disk: it has to open, to take a change and to be sound after it. */
export function useFoundPool(device: BlockDevice): string | undefined {
  const metadata = ThinMetadata.open(device, { cacheBlocks: 64 });
  const taken = new Set(metadata.devices().map(({ id }) => id));
  let id = 0;
  while (taken.has(id)) id += 1;
  metadata.createThin(id);
  const thin = metadata.openThin(id);
  if (metadata.nrFreeData > 0) thin.insert(7, metadata.allocateDataBlock());
  thin.close();
  for (const other of [...taken].slice(0, 2)) metadata.deleteThin(other);
  metadata.commit();
  const { problems } = auditThin(device);
  return problems.length > 0 ? `after a change: ${problems.slice(0, 3).join('; ')}` : undefined;
}
