import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { PersistentDataError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { dumpThinXml } from './dump.ts';
import { findRoots } from './find-roots.ts';
import { ThinImage } from './image.ts';
import { planRepair, repairedView } from './repair.ts';
import { RootedDevice } from './rooted-device.ts';

function device(path: string, lost: readonly number[] = []): MemoryDevice {
  const at = path.lastIndexOf('/');
  const found = MemoryDevice.from(goldenImage(path.slice(0, at), path.slice(at + 1)).bytes());
  for (const block of lost) found.write(block, [new Uint8Array(4096)]);
  return found;
}

const RECORDS = gunzipSync(readFileSync(join(import.meta.dirname, '../../../../test/golden/tools/repair-1.1.txt.gz')))
  .toString('utf8')
  .split(/^\$ repair /m)
  .slice(1)
  .map((text): [string, string[]] => {
    const [title = '', ...lines] = text.trimEnd().split('\n');
    return [title, lines];
  });

test.each(RECORDS)('as version 1.1.0: %s', (title, lines) => {
  const words = title.split(' ');
  const number = (name: string) => (words.includes(name) ? Number(words[words.indexOf(name) + 1]) : undefined);
  const overrides = {
    transactionId: number('--transaction-id'),
    dataBlockSizeSectors: number('--data-block-size'),
    nrDataBlocks: number('--nr-data-blocks'),
  };
  const given = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  const disk = device(words.at(-1)!, words.at(-2)!.split(',').map(Number));
  const errors = lines.filter((line) => line.startsWith('! ')).map((line) => line.slice(2));
  const repaired = (): string => dumpThinXml(repairedView(disk, planRepair(findRoots(disk), { overrides: given })));
  if (lines.some((line) => line.startsWith('<'))) {
    const xml = repaired();
    const kept = xml.split('\n').filter((line) => /^ *<\/?(superblock|device|def)/.test(line));
    expect(kept).toEqual(lines.filter((line) => /^ *</.test(line)));
    const sum = createHash('sha256').update(xml).digest('hex').slice(0, 16);
    expect(lines).toContain(`# ${sum}`);
  } else expect(repaired).toThrow(errors.at(-1));
});

test('another candidate can be chosen, and one that does not fit is refused', () => {
  const disk = device('thin/multi-64k-clean');
  const found = findRoots(disk);
  expect(found.pairs[0]).toMatchObject({ mapping: { block: 126 }, details: { block: 124 } });
  const plan = planRepair(found, { mappingRoot: 88, detailsRoot: 91 });
  const image = new ThinImage(repairedView(disk, plan));
  expect(image.devices().map(({ id }) => id)).toEqual([...plan.mapping.devices.keys()]);
  expect(() => planRepair(found, { mappingRoot: 5 })).toThrow('no whole list of devices begins there');
  expect(() => planRepair(found, { mappingRoot: 88, detailsRoot: 7 })).toThrow('do not fit');
});

test('`findRoots` finds on a kernel pool what version 1.1.0 logs', () => {
  const found = findRoots(device('thin/multi-64k-clean', [0]));
  const summary = found.mapping.map(({ block, devices, nrMappings, highestMapped, age }) => {
    return [block, devices.size, nrMappings, highestMapped, age];
  });
  expect(summary.slice(0, 4)).toEqual([
    [119, 8, 583, 351, 2],
    [126, 7, 490, 351, 2],
    [112, 7, 480, 341, 2],
    [107, 7, 479, 340, 2],
  ]);
  expect(found.mapping).toHaveLength(18);
  expect(found.details.map(({ block }) => block)).toEqual([
    7, 15, 20, 25, 30, 35, 41, 48, 57, 65, 70, 76, 83, 91, 102, 108, 114, 121, 124,
  ]);
  expect(found.details.at(-1)).toMatchObject({ nrMappings: 490, maxTransaction: 0, age: 3 });
  expect(found.pairs).toHaveLength(22);
});

test('`RootedDevice` has a tree of details of any size', () => {
  const details = new Map(
    Array.from({ length: 40_000 }, (_, id) => [
      id,
      { mappedBlocks: id, transactionId: 0, creationTime: 1, snapshottedTime: 2 },
    ]),
  );
  const fields = { time: 5, transactionId: 6, dataMappingRoot: 1, dataBlockSizeSectors: 128, nrDataBlocks: 9 };
  const rooted = new RootedDevice(new MemoryDevice({ nrBlocks: 4 }), fields, details);
  expect(new ThinImage(rooted).details()).toEqual(details);
  expect(() => rooted.write()).toThrow(PersistentDataError);
});

test('nothing is found on a device of zeros, noise, or no blocks', () => {
  const noise = new MemoryDevice({ nrBlocks: 8 });
  noise.write(0, [new Uint8Array(8 * 4096).map((_, i) => (i * i) % 251)]);
  for (const disk of [new MemoryDevice({ nrBlocks: 0 }), new MemoryDevice({ nrBlocks: 300 }), noise]) {
    const found = findRoots(disk);
    expect([found.superblock, found.mapping.length, found.details.length]).toEqual([undefined, 0, 0]);
    expect(() => planRepair(found)).toThrow('no compatible roots found');
  }
});
