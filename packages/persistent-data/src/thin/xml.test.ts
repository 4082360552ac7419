import { expect, test } from 'vitest';
import * as xml from './xml.ts';

test('the XML of thin metadata has a reader, two writers and what a dump needs', () => {
  expect(Object.keys(xml).sort()).toEqual([
    'MappingRuns',
    'ThinHumanWriter',
    'ThinXmlWriter',
    'readThinXml',
    'readThinXmlAsync',
  ]);
});
