import { expect, test } from 'vitest';
import { makePool } from '../../../../test/structures/pools.ts';
import { ThinMetadata } from './metadata.ts';
import { metadataDevice } from './metadata-source.ts';

test('`metadataDevice()` is the device itself, or that of an open pool', () => {
  const device = makePool({ devices: [] });
  expect(metadataDevice(device)).toBe(device);
  expect(metadataDevice(ThinMetadata.open(device))).toBe(device);
});
