import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { MemoryDevice } from '../io/index.ts';
import { BlockMarks } from './block-marks.ts';
import { DeviceSets } from './device-sets.ts';
import { ThinImage } from './image.ts';
import { exclusiveBlocks, exclusiveOfSet, highestMapped, sharingCensus, sharingMatrix } from './usage.ts';

const GOLDEN = join(import.meta.dirname, '../../../../test/golden');

function image(path: string): ThinImage {
  return new ThinImage(MemoryDevice.from(gunzipSync(readFileSync(join(GOLDEN, `${path}.bin.gz`)))));
}

const RECORDS = ['thin', 'scripted'].flatMap((family) =>
  readdirSync(join(GOLDEN, family))
    .filter((name) => name.endsWith('.ls-1.1.txt'))
    .map((name) => `${family}/${name.replace('.ls-1.1.txt', '')}`),
);

test.each(RECORDS)('devices, exclusive, shared and highest blocks of %s are as thin_ls 1.1.0 says', (path) => {
  const record = readFileSync(join(GOLDEN, `${path}.ls-1.1.txt`), 'utf8');
  const rows = record
    .split('\n')
    .filter((line) => /^ *\d/.test(line))
    .map((line) => line.trim().split(/ +/).map(Number));
  const pool = image(path);
  const devices = pool.devices();
  const exclusive = exclusiveBlocks(pool, devices);
  const highest = highestMapped(pool, devices);
  const ours = devices.map(({ id, mappedBlocks, creationTime, snapshottedTime, transactionId }, i) => {
    const shared = mappedBlocks - exclusive[i]!;
    return [id, mappedBlocks, exclusive[i], shared, highest[i] ?? 0, creationTime, snapshottedTime, transactionId];
  });
  expect(ours).toEqual(rows);
});

test('the census tells what any set of devices has to itself, and who shares with whom', () => {
  const pool = image('tools/t1');
  const census = sharingCensus(pool, pool.devices());
  // Devices 1, 2, 3 map 10..13 and 20; 10..13; 10, 11 and 30.
  expect(exclusiveOfSet(census, [1])).toBe(1);
  expect(exclusiveOfSet(census, [2])).toBe(0);
  expect(exclusiveOfSet(census, [1, 2])).toBe(3);
  expect(exclusiveOfSet(census, [1, 2, 3])).toBe(6);
  expect(sharingMatrix(census)).toEqual([
    [5, 4, 2],
    [4, 4, 2],
    [2, 2, 3],
  ]);
});

test('a census of a kernel pool agrees with the plain count', () => {
  const pool = image('thin/deep');
  const devices = pool.devices();
  const exclusive = exclusiveBlocks(pool, devices);
  const census = sharingCensus(pool, devices);
  expect(devices.map(({ id }) => exclusiveOfSet(census, [id]))).toEqual([...exclusive]);
});

test('`DeviceSets` makes a set once, also of more devices than a word has bits', () => {
  const sets = new DeviceSets(70);
  const a = sets.union(1, 70);
  expect(sets.union(70, 1)).toBe(a);
  expect(sets.union(sets.union(1, 33), 70)).toBe(sets.union(33, a));
  expect(sets.devicesOf(sets.union(33, a))).toEqual([0, 32, 69]);
  expect(sets.isWithin(a, sets.union(a, 5))).toBe(true);
  expect(sets.isWithin(sets.union(a, 5), a)).toBe(false);
});

test('`BlockMarks` refuses to take all memory', () => {
  const marks = new BlockMarks(2 ** 20);
  expect(() => {
    for (let i = 0; i < 5000; i++) marks.pageOf(i * 256);
  }).toThrow('Cannot count data blocks');
});
