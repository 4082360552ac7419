import { expect, test } from 'vitest';
import { makePool, steps } from '../../../../test/structures/pools.ts';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import { BlockManager } from '../block-manager/index.ts';
import { MappingDump } from './dump-mappings.ts';

test('more leaves than a batch come out in order', () => {
  const mapped = steps(0, 2 * 135_000, 2);
  const device = makePool({ nrMetadataBlocks: 4096, nrDataBlocks: 135_000, devices: [{ id: 0, mapped }] });
  const blockManager = new BlockManager(device, { cacheBlocks: 64, readOnly: true });
  const found: number[] = [];
  const visitor = { map: (origin: number) => void found.push(origin) };
  const reader = { blockManager, read: blockManager.read.bind(blockManager) };
  const dump = new MappingDump(device, reader, visitor as never);
  dump.device(new SickPool(device).deviceRoot(0), 2);
  expect(found).toEqual(mapped);
});
