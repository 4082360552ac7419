import { expect, test } from 'vitest';
import { thinMetadataBytes } from './metadata-size.ts';

const KIB = 1024;
const GIB = 2 ** 30;

test.each([
  [64 * KIB, GIB, 1000, 9056],
  [64 * KIB, 64 * KIB, 0, 16],
  [64 * KIB, GIB, 1, 1064],
  [64 * KIB, 1e9, 1, 992],
  [64 * KIB, 100 * 2 ** 50, 1, 33292800],
  [64 * KIB, GIB, 99999999, 33292800],
])('`thinMetadataBytes` of blocks of %d bytes, a pool of %d and %d devices is %d sectors, as 1.1.0 says', (...row) => {
  const [blockBytes, poolBytes, maxThins, sectors] = row;
  expect(thinMetadataBytes({ blockBytes, poolBytes, maxThins })).toBe(sectors * 512);
});

test('`thinMetadataBytes` refuses what no pool can be, with the texts of the tools', () => {
  const bytes = (blockBytes: number, poolBytes: number) => () =>
    thinMetadataBytes({ blockBytes, poolBytes, maxThins: 1 });
  expect(bytes(0, GIB)).toThrow('block size must be a multiple of 64 KiB');
  expect(bytes(65 * KIB, GIB)).toThrow('block size must be a multiple of 64 KiB');
  expect(bytes(2 * GIB, 10 * GIB)).toThrow('maximum block size is 1 GiB');
  expect(bytes(64 * KIB, 63 * KIB)).toThrow('pool size must be larger than block size');
});
