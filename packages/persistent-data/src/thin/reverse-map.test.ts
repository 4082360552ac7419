import { expect, test } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { toolRecords } from '../../../../test/golden/tools-records.ts';
import { MemoryDevice } from '../io/index.ts';
import { ThinImage } from './image.ts';
import { reverseMap } from './reverse-map.ts';
import { RunList } from './run-list.ts';

function open(path: string): ThinImage {
  const at = path.lastIndexOf('/');
  return new ThinImage(MemoryDevice.from(goldenImage(path.slice(0, at), path.slice(at + 1)).bytes()));
}

test.each(toolRecords('thin_rmap'))('as version 1.1.0: %s', (_, { image, options, stdout }) => {
  const regions = options
    .filter((option) => option !== '--region')
    .map((text) => {
      const [begin, end] = text.split('..').map(Number);
      return { begin: begin!, end: end! };
    });
  const pool = open(image);
  const lines = Array.from(reverseMap(pool, pool.devices(), regions), (run) => {
    const { dataBegin, length, device, virtualBegin } = run;
    return `data ${dataBegin}..${dataBegin + length} -> thin(${device}) ${virtualBegin}..${virtualBegin + length}\n`;
  });
  expect(lines.join('')).toBe(stdout);
});

test('runs are in order also when there are many', () => {
  const pool = open('thin/deep');
  const runs = [...reverseMap(pool, pool.devices(), [{ begin: 0, end: 2 ** 40 }], { all: true })];
  for (let i = 1; i < runs.length; i++) expect(runs[i]!.dataBegin).toBeGreaterThanOrEqual(runs[i - 1]!.dataBegin);
  expect(runs.reduce((sum, { length }) => sum + length, 0)).toBe(133000);
});

test('all devices that share a leaf are told on request', () => {
  const pool = open('tools/gen');
  const runs = [...reverseMap(pool, pool.devices(), [{ begin: 1100, end: 1200 }], { all: true })];
  expect(runs.map(({ device, virtualBegin, length }) => [device, virtualBegin, length])).toEqual([
    [1, 100, 100],
    [2, 100, 100],
  ]);
});

test('`RunList` grows', () => {
  const runs = new RunList();
  for (let i = 0; i < 3000; i++) runs.push(i, 2 * i, 1);
  expect([runs.length, runs.virtual[2999], runs.data[2999]]).toEqual([3000, 2999, 5998]);
});
