import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { CorruptionError, StateError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { DeviceSets } from './device-sets.ts';
import { rootOf, ThinImage } from './image.ts';
import { leavesOf } from './leaf-list.ts';
import { walkShared } from './shared-walk.ts';

const GOLDEN = join(import.meta.dirname, '../../../../test/golden');

function device(path: string): MemoryDevice {
  return MemoryDevice.from(gunzipSync(readFileSync(join(GOLDEN, `${path}.bin.gz`))));
}

test('`ThinImage` lists devices with details and roots', () => {
  const image = new ThinImage(device('tools/t1'));
  expect(image.devices().map(({ id, root, mappedBlocks }) => [id, root, mappedBlocks])).toEqual([
    [1, 1, 5],
    [2, 2, 4],
    [3, 3, 3],
  ]);
  expect(rootOf(image, 3)).toBe(3);
  expect(() => rootOf(image, 9)).toThrow(StateError);
  expect(image.lastKey(1)).toBe(7);
});

test('`ThinImage` reads a metadata snapshot, and says when there is none', () => {
  const image = new ThinImage(device('thin/metasnap'), { metadataSnapshot: true });
  expect(image.devices().map(({ id, mappedBlocks }) => [id, mappedBlocks])).toEqual([
    [0, 300],
    [1, 10],
  ]);
  expect(() => new ThinImage(device('tools/t1'), { metadataSnapshot: true })).toThrow('no current metadata snap');
  expect(() => new ThinImage(new MemoryDevice({ nrBlocks: 16 }))).toThrow(/^bad checksum in superblock$/);
  expect(() => new ThinImage(device('tools/t1'), { metadataSnapshot: 3 })).toThrow('metadata snap: bad checksum');
});

test('what cannot be believed is a `CorruptionError`, whatever block is lost', () => {
  for (let block = 0; block <= 7; block++) {
    const damaged = device('tools/gen');
    damaged.write(block, [new Uint8Array(4096)]);
    expect(() => {
      const image = new ThinImage(damaged);
      const devices = image.devices();
      const roots = devices.map(({ root }) => root);
      walkShared(image.scanner, roots, new DeviceSets(roots.length), () => undefined);
    }, `block ${block}`).toThrow(CorruptionError);
  }
});

test('`leavesOf` lists leaves in the order of keys', () => {
  const image = new ThinImage(device('tools/gen'));
  expect(leavesOf(image.scanner, 3, 8)).toEqual({ blocks: [1, 2], keys: [0, 150] });
  expect(() => leavesOf(image.scanner, 6, 8)).toThrow(CorruptionError);
  expect(() => leavesOf(image.scanner, 99999, 8)).toThrow(CorruptionError);
});
