/** Caches that the kernel wrote: what our check says, what our dump prints, and that a restored dump dumps the same. */

import { checkCache, dumpCacheXml, restoreCacheXml } from 'persistent-data/cache';
import { MemoryDevice } from 'persistent-data/io';
import { describe, expect, test } from 'vitest';
import { type GoldenImage, goldenImages } from './image.ts';

const cases = goldenImages('cache').map((image) => [image.name, image] as const);
const device = (image: GoldenImage) => MemoryDevice.from(image.bytes());
/** 0.9.0 ends with a line feed, calls the width of hints 4 always, and no block of version 2 dirty. */
const likeOld = (xml: string): string =>
  `${xml.replace('hint_width="0"', 'hint_width="4"').replaceAll('dirty="true"', 'dirty="false"')}\n`;

describe('checkCache()', () => {
  test.each(cases)('%s: as version 1.1.0, nothing is found', (_, image) => {
    expect(image.record('check-1.1.txt')).toContain('exit status 0');
    expect([...checkCache(device(image))]).toEqual([]);
  });
});

describe('dumpCacheXml()', () => {
  test.each(cases)('%s', (name, image) => {
    const text = dumpCacheXml(device(image));
    const recorded = image.record('dump-1.1.xml');
    // 1.1.0 fails where there are no hints.
    if (recorded !== undefined) expect(text).toBe(recorded);
    else expect(image.record('dump-1.1.txt')).toContain('not a btree node');
    const old = image.record('xml')!;
    if (name.startsWith('v2')) expect(likeOld(text)).toBe(old);
    else expect(`${text.replace('hint_width="0"', 'hint_width="4"')}\n`).toBe(old);
  });

  test.each(cases)('%s, restored in either version, dumps the same and passes the check', (_, image) => {
    const text = dumpCacheXml(device(image));
    for (const version of [1, 2] as const) {
      const restored = new MemoryDevice({ nrBlocks: 64 });
      restoreCacheXml(restored, text, { version });
      expect([...checkCache(restored)]).toEqual([]);
      expect(dumpCacheXml(restored)).toBe(text);
    }
  });
});
