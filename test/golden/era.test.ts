/** Era metadata: the kernel's own steps give its bytes, and check, dump and restore say of its images what version 1.1.0 of the tools said. */

import { checkEra, dumpEraXml, EraMetadata, restoreEraXml } from 'persistent-data/era';
import { MemoryDevice } from 'persistent-data/io';
import { describe, expect, test } from 'vitest';
import { goldenImage, goldenImages } from './image.ts';

const cases = goldenImages('era').map((image) => [image.name, image] as const);

test.each(cases)('%s: verdict, content, content folded, and both after a restore', (_, image) => {
  const device = MemoryDevice.from(image.bytes());
  const exitStatus = Number(/exit status (\d+)/.exec(image.record('check-1.1.txt')!)?.[1]);
  expect([exitStatus, ...checkEra(device)]).toEqual([0]);
  expect(dumpEraXml(device)).toBe(image.record('dump-1.1.xml'));
  expect(dumpEraXml(device, { logical: true })).toBe(image.record('logical-1.1.xml'));
  const restored = new MemoryDevice({ nrBlocks: 256 });
  restoreEraXml(restored, dumpEraXml(device));
  expect([...checkEra(restored)]).toEqual([]);
  expect(dumpEraXml(restored)).toBe(dumpEraXml(device));
  expect(dumpEraXml(restored, { logical: true })).toBe(image.record('logical-1.1.xml'));
});

test.each(cases)('%s: opens, with the status that the kernel told, and goes on', (_, image) => {
  const device = MemoryDevice.from(image.bytes());
  const era = EraMetadata.open(device);
  const before = Array.from({ length: era.nrBlocks }, (_b, b) => era.eraOf(b));
  era.resume(era.nrBlocks);
  era.markWritten([0, 511]);
  era.digest();
  if (era.metadataSnapshot !== 0) era.dropMetadataSnapshot();
  era.suspend();
  expect([...checkEra(device)]).toEqual([]);
  const after = Array.from({ length: era.nrBlocks }, (_b, b) => (b === 0 || b === 511 ? before[b] : era.eraOf(b)));
  expect(after).toEqual(before);
  expect([era.eraOf(0), era.eraOf(511)]).toEqual([era.currentEra, era.currentEra]);
});

/** Blocks that differ. */
function difference(device: MemoryDevice, name: string): number[] {
  const [ours, theirs] = [device.toBytes(), goldenImage('era', name).bytes()];
  expect(ours).toHaveLength(theirs.length);
  const blocks = Array.from({ length: ours.length / 4096 }, (_, b) => b);
  return blocks.filter((b) => {
    const range = [b * 4096, (b + 1) * 4096] as const;
    return Buffer.compare(ours.subarray(...range), theirs.subarray(...range)) !== 0;
  });
}

function range(begin: number, end: number): number[] {
  return Array.from({ length: end - begin }, (_, i) => begin + i);
}

describe('the same bytes as the kernel’s, of the whole device', () => {
  test('empty: format, resume, suspend', () => {
    const device = new MemoryDevice({ nrBlocks: 1024 });
    const era = EraMetadata.format(device, { blockSizeSectors: 128 });
    era.resume(1024);
    expect(era.status()).toBe('8 10/1024 1 -');
    era.suspend();
    expect(difference(device, 'empty')).toEqual([]);
  });

  test('undigested-1: 401 blocks marked one by one, a checkpoint', () => {
    const device = new MemoryDevice({ nrBlocks: 1024 });
    const era = EraMetadata.format(device, { blockSizeSectors: 128 });
    era.resume(16_384);
    for (const b of range(1000, 1401)) era.markWritten([b]);
    era.checkpoint();
    expect(difference(device, 'undigested-1')).toEqual([]);
  });

  // When the kernel does a step of digestion depends on when its worker runs: after each mark here, but for the last one, which
  // came early. Until then all is the same.
  test('eras-live-1: two eras and the digestion of the first, up to its last step', () => {
    const device = new MemoryDevice({ nrBlocks: 1024 });
    const era = EraMetadata.format(device, { blockSizeSectors: 128 });
    era.resume(1024);
    for (const b of range(0, 10)) era.markWritten([b]);
    era.checkpoint();
    for (const b of [...range(5, 15), ...range(1000, 1024)]) {
      era.markWritten([b]);
      era.digestStep();
    }
    expect(era.status()).toBe('8 10/1024 2 -');
    const blocks = difference(device, 'eras-live-1');
    expect(blocks.filter((b) => b > 0 && b < 102)).toEqual([]);
    expect(dumpEraXml(device)).toBe(goldenImage('era', 'eras-live-1').record('dump-1.1.xml'));
  });
});
