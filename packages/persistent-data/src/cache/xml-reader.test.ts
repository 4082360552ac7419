import { describe, expect, test } from 'vitest';
import { ParseError } from '../base/index.ts';
import type { CacheVisitor } from './visitor.ts';
import { CacheXmlWriter, readCacheXml, readCacheXmlAsync } from './xml.ts';

// Through the layer's own list: './xml-reader.ts' and './xml-writer.ts'.

const HEAD = '<superblock uuid="" block_size="128" nr_cache_blocks="70" policy="smq" hint_width="4">';

const document = (mappings: string, hints = '', head = HEAD): string =>
  `${head}\n  <mappings>${mappings}\n  </mappings>\n  <hints>${hints}\n  </hints>\n</superblock>`;
const mapping = (cache: number, origin: number | bigint, dirty = 'false'): string =>
  `\n    <mapping cache_block="${cache}" origin_block="${origin}" dirty="${dirty}"/>`;
const hint = (cache: number, data = 'AQAAAA=='): string => `\n    <hint cache_block="${cache}" data="${data}"/>`;
const bytesOf = (xml: string): Uint8Array => new TextEncoder().encode(xml);

/** What a document reads as, written again. */
function again(xml: string, cut = xml.length): string {
  let text = '';
  const writer = new CacheXmlWriter((bytes) => {
    text += new TextDecoder().decode(bytes);
  });
  const bytes = bytesOf(xml);
  const pieces = Array.from({ length: Math.ceil(bytes.length / cut) }, (_, i) =>
    bytes.subarray(i * cut, (i + 1) * cut),
  );
  readCacheXml(pieces, writer);
  return text;
}

const WHOLE = document(
  mapping(0, 5) + mapping(1, 9, 'true') + mapping(65, 2n ** 48n - 1n, 'true'),
  hint(0) + hint(1, '/////w==') + hint(65, 'Pw8AgA=='),
);

test('what is written is read, cut anywhere, and in any order of attributes', () => {
  for (const cut of [WHOLE.length, 1, 7, 100]) expect(again(WHOLE, cut)).toBe(WHOLE);
  const turned = WHOLE.replaceAll(/(cache_block="\d+") (\w+="[^"]*")/g, '$2 $1').replaceAll('"', "'");
  expect(again(turned)).toBe(WHOLE);
});

test('a source that has to be waited for', async () => {
  const found: number[] = [];
  const visitor = new Proxy({} as CacheVisitor, {
    get: (_, name) => (name === 'mapping' ? (block: number) => found.push(block) : () => undefined),
  });
  await readCacheXmlAsync([bytesOf(WHOLE)], visitor);
  expect(found).toEqual([0, 1, 65]);
});

test('no policy, no hints: metadata that was never shut down in order', () => {
  const xml = document(mapping(3, 7), '', HEAD.replace('policy="smq" hint_width="4"', 'policy="" hint_width="0"'));
  expect(again(xml)).toBe(xml);
});

describe('refused, with line and column:', () => {
  test.each([
    [
      'a policy nobody knows',
      document('', '', HEAD.replace('smq', 'foo')),
      /unknown policy "foo": one of smq, mq,.*line 1, column 67/,
    ],
    [
      'a policy too long for a superblock',
      document('', '', HEAD.replace('smq', 'a'.repeat(26))),
      /invalid policy name .*26 char/,
    ],
    [
      'hints of 8 bytes',
      document('', '', HEAD.replace('hint_width="4"', 'hint_width="8"')),
      /invalid hint width: found 8/,
    ],
    ['a block size of 63', document('', '', HEAD.replace('128', '63')), /invalid cache block size: found 63 sectors/],
    ['a block size of 0', document('', '', HEAD.replace('128', '0')), /invalid cache block size: found 0 sectors/],
    ['a mapping beyond the cache', document(mapping(70, 5)), /found cache block 70, nr_cache_blocks is 70 \(line 3/],
    ['a dirty one beyond the cache', document(mapping(70, 5, 'true')), /found cache block 70, nr_cache_blocks is 70/],
    ['a hint beyond the cache', document('', hint(70)), /Cannot read <hint>: found cache block 70/],
    ['mappings out of order', document(mapping(2, 5) + mapping(1, 6)), /found cache block 1 behind 2, increasing/],
    ['a cache block twice', document(mapping(2, 5) + mapping(2, 6)), /found cache block 2 behind 2/],
    ['hints out of order', document('', hint(3) + hint(1)), /found cache block 1 behind 3/],
    [
      'an origin block twice',
      document(mapping(1, 5) + mapping(2, 5)),
      /origin block 5 of cache block 2 already mapped.*line 4/,
    ],
    ['an origin block of 49 bits', document(mapping(1, 2n ** 48n)), /at most 281474976710655 is allowed/],
    ['dirty that is neither', document(mapping(1, 5, 'maybe')), /dirty is "maybe", true or false is wanted/],
    ['no base64', document(mapping(1, 5), hint(1, 'A!AAAA==')), /data is "A!AAAA==", 4 bytes in base64 are wanted/],
    ['two bytes', document(mapping(1, 5), hint(1, 'AQA=')), /4 bytes in base64 are wanted/],
    ['eight bytes', document(mapping(1, 5), hint(1, 'AQAAAAAAAAA=')), /4 bytes in base64 are wanted/],
    ['discards', WHOLE.replace('</superblock>', '<discards></discards></superblock>'), /discards/],
    ['hints before mappings', `${HEAD}<hints></hints><mappings></mappings></superblock>`, /out of place/],
    ['mappings twice', `${HEAD}<mappings></mappings><mappings></mappings></superblock>`, /out of place/],
    ['no hints', `${HEAD}<mappings></mappings></superblock>`, /found no <mappings> and <hints>/],
    ['no mappings', `${HEAD}</superblock>`, /found no <mappings>/],
    ['an attribute left out', document('\n<mapping cache_block="1" dirty="true"/>'), /origin_block/],
    ['an end that is missing', WHOLE.slice(0, -13), /superblock/],
  ])('%s', (_, xml, message) => {
    let error: unknown;
    try {
      again(xml);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ParseError);
    expect((error as ParseError).message).toMatch(message);
    expect((error as ParseError).line).toBeGreaterThan(0);
  });
});
