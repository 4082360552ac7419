import { expect, test } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { MemoryDevice } from '../io/index.ts';
import { findRoots } from './find-roots.ts';
import { ThinImage } from './image.ts';
import { previewRepair } from './repair-preview.ts';
import { salvageMappings } from './salvage.ts';
import { TreeSummaries } from './tree-summary.ts';

function device(path: string, lost: readonly number[] = []): MemoryDevice {
  const at = path.lastIndexOf('/');
  const found = MemoryDevice.from(goldenImage(path.slice(0, at), path.slice(at + 1)).bytes());
  for (const block of lost) found.write(block, [new Uint8Array(4096)]);
  return found;
}

function preview(disk: MemoryDevice, block: number) {
  const found = findRoots(disk);
  return previewRepair(disk, found, found.mapping.find((candidate) => candidate.block === block)!);
}

test('what the superblock leads to is kept as it is', () => {
  const devices = preview(device('thin/multi-64k-clean'), 126);
  expect(devices.map(({ fate }) => fate)).toEqual(Array.from({ length: 7 }, () => 'kept'));
  expect(devices.reduce((sum, { kept }) => sum + kept, 0)).toBe(490);
});

test('an older candidate tells which devices come back, which go, and which blocks change', () => {
  const devices = preview(device('thin/multi-64k-clean'), 88);
  const summary = devices.map(({ id, fate, kept, changed, lost, revived }) => [id, fate, kept, changed, lost, revived]);
  // Device 0 lost 20 blocks to a discard later, and 11 was made later.
  expect(summary.find(([id]) => id === 0)).toEqual([0, 'changed', 80, 0, 0, 20]);
  expect(summary.find(([id]) => id === 11)?.[1]).toBe('changed');
  for (const entry of devices) {
    expect(entry.mappings).toBe(entry.kept + entry.changed + entry.revived);
    expect(entry.times.reduce((sum, [, count]) => sum + count, 0)).toBe(entry.mappings);
  }
});

test('where the list of devices is lost, their details bound what goes', () => {
  // Block 126 has the roots; the details are in block 124. Device 0 has 80 mappings there, and 100 in the candidate.
  const devices = preview(device('thin/multi-64k-clean', [126]), 88);
  const bounds = devices.map(({ id, fate, lost, lostAtLeast, lostAtMost }) => [
    id,
    fate,
    lost,
    lostAtLeast,
    lostAtMost,
  ]);
  expect(bounds.find(([id]) => id === 0)).toEqual([0, 'changed', null, 0, 80]);
  const details = new ThinImage(device('thin/multi-64k-clean')).details();
  for (const { id, mappings, lostAtLeast, lostAtMost } of devices) {
    const { mappedBlocks } = details.get(id)!;
    expect([lostAtLeast, lostAtMost]).toEqual([Math.max(0, mappedBlocks - mappings), mappedBlocks]);
  }
});

test('where a device’s own root is lost, its details tell how much was there', () => {
  const disk = device('thin/multi-64k-clean');
  const { roots, details } = { roots: new ThinImage(disk).roots(), details: new ThinImage(disk).details() };
  const found = preview(device('thin/multi-64k-clean', [roots.get(11)!]), 88).find(({ id }) => id === 11)!;
  const { mappedBlocks } = details.get(11)!;
  expect(found.ranges[0]).toEqual({ kind: 'unreadable', begin: 0, end: null });
  expect([found.lostAtLeast, found.lostAtMost]).toEqual([Math.max(0, mappedBlocks - found.mappings), mappedBlocks]);
});

test('a leaf that is lost is told as a range, and all else is read', () => {
  const disk = device('tools/gen', [2]);
  const seen: unknown[] = [];
  salvageMappings(disk, 4, {
    map: (...run) => seen.push(['map', ...run]),
    lost: (...range) => seen.push(['lost', ...range]),
  });
  expect(seen).toEqual([
    ['map', 0, 1000, 150, 0],
    ['lost', 150, Number.POSITIVE_INFINITY, 2],
  ]);
});

test('salvage finds the same as a whole tree has, and ends on a device where nothing is left', () => {
  const disk = device('thin/deep');
  for (const { root, mappedBlocks } of new ThinImage(disk).devices()) {
    let count = 0;
    salvageMappings(disk, root, {
      map: (_virtual, _data, length) => {
        count += length;
      },
      lost: () => expect.unreachable(),
    });
    expect(count).toBe(mappedBlocks);
    expect(new TreeSummaries(new ThinImage(disk).scanner).of(root)?.nrMappings).toBe(mappedBlocks);
  }
  const seen: unknown[] = [];
  salvageMappings(new MemoryDevice({ nrBlocks: 9 }), 3, { map: () => undefined, lost: (...range) => seen.push(range) });
  expect(seen).toEqual([[0, Number.POSITIVE_INFINITY, 3]]);
});
