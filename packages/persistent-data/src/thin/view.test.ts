import { expect, test } from 'vitest';
import { StateError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { ThinMetadata } from './metadata.ts';

function pool(): ThinMetadata {
  const metadata = ThinMetadata.format(new MemoryDevice({ nrBlocks: 512 }), {
    dataBlockSizeSectors: 128,
    nrDataBlocks: 64,
  });
  metadata.createThin(1);
  const thin = metadata.openThin(1);
  for (let b = 0; b < 10; b++) thin.insert(b, metadata.allocateDataBlock());
  thin.close();
  metadata.commit();
  return metadata;
}

test('a view shows the last commit, whatever the writer does', () => {
  const metadata = pool();
  const view = metadata.view();
  const thin = metadata.openThin(1);
  thin.removeRange(0, 10);
  metadata.createThin(2);
  metadata.commit();
  for (let round = 0; round < 30; round++) {
    thin.insert(round, metadata.allocateDataBlock());
    metadata.commit();
  }
  const device = view.device(1)!;
  expect([...view.devices()].map(({ id }) => id)).toEqual([1]);
  expect(device.mappedBlocks).toBe(10);
  for (let b = 0; b < 10; b++) expect(view.find(device, b)).toEqual({ dataBlock: b, shared: false });
  expect(view.find(device, 10)).toBeUndefined();
  expect(view.device(2)).toBeUndefined();
});

test('data blocks that a view uses are handed out only after it is closed', () => {
  const metadata = pool();
  const view = metadata.view();
  const thin = metadata.openThin(1);
  thin.removeRange(0, 10);
  metadata.commit();
  const given = Array.from({ length: 54 }, () => metadata.allocateDataBlock());
  expect(given.every((b) => b >= 10)).toBe(true);
  expect(() => metadata.allocateDataBlock()).toThrow(
    expect.objectContaining({ code: 'PDATA_NO_SPACE', space: 'data' }),
  );
  view.close();
  expect(metadata.allocateDataBlock()).toBeLessThan(10);
});

test('a view is of the last commit, not of what is open, and survives a rollback', () => {
  const metadata = pool();
  metadata.createThin(5);
  const view = metadata.view();
  expect(view.device(5)).toBeUndefined();
  metadata.rollback();
  metadata.createThin(6);
  metadata.commit();
  expect([...view.devices()].map(({ id }) => id)).toEqual([1]);
  view.close();
  view.close();
  expect(() => view.device(1)).toThrow(StateError);
});
