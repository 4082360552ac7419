import { expect, test } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { NoSpaceError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { dumpThin, dumpThinXml } from './dump.ts';
import { ThinImage } from './image.ts';
import { runLengths } from './run-lengths.ts';
import { planShrink, ShrinkSurvey, ShrinkVisitor } from './shrink.ts';
import { countHistogram, freeDataRuns } from './space-bitmaps.ts';
import { ThinXmlWriter } from './xml-writer.ts';

function device(family: string, name: string): MemoryDevice {
  return MemoryDevice.from(goldenImage(family, name).bytes());
}

function shrunk(disk: MemoryDevice, nrBlocks: number) {
  const survey = new ShrinkSurvey(nrBlocks);
  dumpThin(disk, survey);
  const moves = planShrink(survey);
  let text = '';
  const writer = new ThinXmlWriter((bytes) => {
    text += new TextDecoder().decode(bytes);
  });
  dumpThin(disk, new ShrinkVisitor(writer, nrBlocks, moves));
  return { moves, text };
}

test('blocks beyond the end move to the first gaps, as version 1.1.0 moves them', () => {
  const disk = device('tools', 't1');
  const { moves, text } = shrunk(disk, 20);
  expect(moves).toEqual([
    { from: 20, to: 0, length: 1 },
    { from: 30, to: 1, length: 1 },
  ]);
  const expected = dumpThinXml(disk)
    .replace('nr_data_blocks="100"', 'nr_data_blocks="20"')
    .replace('data_block="20"', 'data_block="0"')
    .replace('data_block="30"', 'data_block="1"');
  expect(text).toBe(expected);
});

test('runs are cut where a gap or the end is, shared ones alike, and too little room is an error', () => {
  const { moves, text } = shrunk(device('tools', 'gen'), 1100);
  expect(moves).toEqual([{ from: 1100, to: 0, length: 200 }]);
  expect(text).toContain('<range_mapping origin_begin="0" data_begin="1000" length="100" time="0"/>');
  expect(text).toContain('<range_mapping origin_begin="100" data_begin="0" length="200" time="0"/>');
  expect(() => shrunk(device('tools', 'gen'), 299)).toThrow(NoSpaceError);
  expect(shrunk(device('tools', 'gen'), 300).moves).toEqual([{ from: 1000, to: 0, length: 300 }]);
  expect(shrunk(device('tools', 'deltas'), 650).moves).toEqual([
    { from: 1100, to: 0, length: 2 },
    { from: 1200, to: 2, length: 10 },
  ]);
});

test('free runs and counts are those of the space maps', () => {
  const image = new ThinImage(device('tools', 't1'));
  expect(freeDataRuns(image)).toEqual([
    { begin: 0, end: 10 },
    { begin: 14, end: 20 },
    { begin: 21, end: 30 },
    { begin: 31, end: 100 },
  ]);
  expect(countHistogram(image, 'data')).toEqual({
    counts: new Map([
      [1, 2],
      [2, 2],
      [3, 2],
    ]),
    nrAllocated: 6,
  });
  expect(countHistogram(image, 'metadata')).toEqual({ counts: new Map([[1, 12]]), nrAllocated: 12 });
  const deep = new ThinImage(device('thin', 'deep'));
  const { dataSpaceMapRoot } = deep.superblock;
  const free = freeDataRuns(deep).reduce((sum, { begin, end }) => sum + end - begin, 0);
  expect(free).toBe(dataSpaceMapRoot.nrBlocks - dataSpaceMapRoot.nrAllocated);
  expect(countHistogram(deep, 'data').nrAllocated).toBe(dataSpaceMapRoot.nrAllocated);
});

test('`runLengths` counts runs in each leaf once', () => {
  expect(runLengths(new ThinImage(device('tools', 'gen')))).toEqual({
    lengths: new Map([
      [1, 4],
      [150, 2],
    ]),
    nrRuns: 6,
    nrMappings: 304,
    nrLeaves: 3,
  });
});
