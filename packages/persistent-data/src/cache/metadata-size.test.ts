import { expect, test } from 'vitest';
import { cacheBlocksOf, cacheMetadataBytes } from './metadata-size.ts';

test('as version 1.1.0 says', () => {
  expect((cacheMetadataBytes(1000) / 512).toFixed(2)).toBe('8246.69');
  expect(cacheMetadataBytes(cacheBlocksOf(2 ** 30, 2 ** 16)) / 512).toBe(9088);
  expect((cacheMetadataBytes(cacheBlocksOf(1_000_001 * 512, 2 ** 16)) / 512).toFixed(2)).toBe('8619.27');
  expect(cacheMetadataBytes(100, 8) / 512).toBe(8198.25);
  expect(cacheMetadataBytes(1e12) / 512).toBe(33_292_800);
});

test('sizes that cannot be', () => {
  expect(() => cacheBlocksOf(2 ** 30, 33 * 1024)).toThrow('block size must be a multiple of 32 KiB');
  expect(() => cacheBlocksOf(2 ** 30, 0)).toThrow('block size must be a multiple of 32 KiB');
  expect(() => cacheBlocksOf(2 ** 40, 2 ** 31)).toThrow('maximum block size is 1 GiB');
  expect(() => cacheBlocksOf(5120, 65_536)).toThrow('pool size must be larger than block size');
});
