import { expect, test } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { MemoryDevice } from '../io/index.ts';
import { dumpCache, dumpCacheXml } from './dump.ts';
import { CacheNdjsonWriter } from './ndjson-writer.ts';

test('NDJSON has a line for each mapping and hint of the XML, and an end', () => {
  const device = MemoryDevice.from(goldenImage('cache', 'v2-clean').bytes());
  let text = '';
  const writer = new CacheNdjsonWriter((bytes) => {
    text += new TextDecoder().decode(bytes);
  });
  dumpCache(device, writer);
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines[0]).toMatchObject({
    type: 'superblock',
    blockSize: 128,
    nrCacheBlocks: 512,
    policy: 'smq',
    hintWidth: 4,
  });
  expect(lines.at(-1)).toEqual({ type: 'end' });
  const elements = lines
    .slice(1, -1)
    .map(({ type, cacheBlock, originBlock, dirty, data }) =>
      type === 'mapping'
        ? `<mapping cache_block="${cacheBlock}" origin_block="${originBlock}" dirty="${dirty}"/>`
        : `<hint cache_block="${cacheBlock}" data="${data}"/>`,
    );
  expect(elements.length).toBeGreaterThan(0);
  expect(elements).toEqual(dumpCacheXml(device).match(/<(mapping|hint) .*>/g));
});
