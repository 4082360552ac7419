import { expect, test } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { MemoryDevice } from '../io/index.ts';
import { dumpThin } from './dump.ts';
import { ThinCsvWriter, ThinNdjsonWriter } from './line-writers.ts';

function dump(Writer: typeof ThinNdjsonWriter | typeof ThinCsvWriter): string {
  let text = '';
  const writer = new Writer((bytes) => {
    text += new TextDecoder().decode(bytes);
  });
  dumpThin(MemoryDevice.from(goldenImage('tools', 'gen').bytes()), writer);
  return text;
}

test('NDJSON has a line for each thing, and an end', () => {
  const lines = dump(ThinNdjsonWriter)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ type }) => type)).toEqual([
    ...['superblock', 'def', 'map', 'device', 'ref', 'device', 'ref', 'device', 'map', 'map', 'map', 'map', 'end'],
  ]);
  expect(lines[0]).toMatchObject({ version: 2, time: 1, transaction: 7, dataBlockSize: 128, nrDataBlocks: 20000 });
  expect(lines[2]).toEqual({ type: 'map', originBegin: 0, dataBegin: 1000, length: 300, time: 0 });
});

test('CSV has a line for each run and ref', () => {
  expect(dump(ThinCsvWriter).split('\n').slice(0, 5)).toEqual([
    'owner,id,origin_begin,data_begin,length,time,ref',
    'def,1,0,1000,300,0,',
    'device,1,,,,,1',
    'device,2,,,,,1',
    'device,3,0,1000,1,1,',
  ]);
});

test('numbers beyond 2^53 are texts, so that they stay exact', () => {
  let text = '';
  const writer = new ThinNdjsonWriter((bytes) => {
    text += new TextDecoder().decode(bytes);
  });
  const superblock = { uuid: '', time: 1, flags: 0, version: 2, dataBlockSize: 128, nrDataBlocks: 20 };
  writer.superblockBegin({ ...superblock, transaction: 2n ** 60n });
  writer.superblockEnd();
  const [first = ''] = text.split('\n');
  expect(JSON.parse(first)).toMatchObject({ transaction: '1152921504606846976' });
});
