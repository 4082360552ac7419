import { expect, test } from 'vitest';
import { MemoryDevice } from '../io/index.ts';
import { ThinMetadata } from '../thin/index.ts';
import { RawImage } from './raw-image.ts';

test('an image reads, changes, seals, stores and forgets blocks', () => {
  const device = new MemoryDevice({ nrBlocks: 32 });
  ThinMetadata.format(device, { dataBlockSizeSectors: 128, nrDataBlocks: 10 }).close();
  const image = new RawImage(device);
  expect([image.has(31), image.has(32), image.has(0.5)]).toEqual([true, false, false]);
  expect(image.sealProblem(0, 'superblock')).toBeUndefined();
  expect(image.sealProblem(0, 'node')).toMatch('checksum');
  image.setU64(image.load(0), 12, 2 ** 40 + 3);
  expect(image.u64(image.load(0), 12)).toBe(2 ** 40 + 3);
  expect(image.sealProblem(0, 'superblock')).toMatch('checksum');
  image.seal(0, 'superblock');
  image.store(0, device);
  expect(ThinMetadata.open(device).transactionId).toBe(2 ** 40 + 3);
  image.words[image.load(0)] = 0;
  image.forget(0);
  expect(image.sealProblem(0, 'superblock')).toBeUndefined();
  image.setU64(image.load(1), 2, 9);
  expect(image.sealProblem(1, 'node')).toBe('its number is 9');
});
