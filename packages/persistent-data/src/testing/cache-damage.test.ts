import { expect, test } from 'vitest';
import { makeCache } from '../../../../test/structures/cache-fixture.ts';
import { checkCache, dumpCacheXml } from '../cache/index.ts';
import { CACHE_DAMAGES, damageCache } from './cache-damage.ts';
import { CachePatient } from './cache-patient.ts';
import { generateCache } from './cache-shape.ts';
import { Random } from './random.ts';

test('the same seed does the same damage, and says what', () => {
  for (const kind of CACHE_DAMAGES) {
    const [a, b] = [makeCache(), makeCache()];
    const said = damageCache(a, kind, new Random(9));
    expect(damageCache(b, kind, new Random(9))).toBe(said);
    expect(Buffer.from(a.toBytes()).equals(b.toBytes())).toBe(true);
    // Without discards nobody knows how large the origin is, and there is no block of them.
    const fits = kind !== 'beyondOrigin' && kind !== 'lostDiscards';
    expect(said !== undefined).toBe(fits);
    expect(Buffer.from(a.toBytes()).equals(makeCache().toBytes())).toBe(!fits);
  }
});

test('a shape is what was asked for', () => {
  const device = makeCache(2, { nrCacheBlocks: 700, nrMappings: 300, percentDirty: 100, seed: 4 });
  expect([...checkCache(device)]).toEqual([]);
  const xml = dumpCacheXml(device);
  expect(xml.match(/dirty="true"/g)).toHaveLength(300);
  expect(xml.match(/<hint /g)).toHaveLength(300);
  expect(() => generateCache({ nrCacheBlocks: 5, nrMappings: 6 }, {} as never)).toThrow(RangeError);
});

test('blocks are found by what they are', () => {
  const patient = new CachePatient(makeCache());
  expect(patient.arrayBlocks('mappingRoot')).toHaveLength(3);
  expect(patient.arrayBlocks('hintRoot')).toHaveLength(2);
  expect(patient.arrayBlocks('discardRoot')).toHaveLength(0);
  expect(patient.nodes('mappingRoot')).toEqual([patient.superblock.mappingRoot]);
});
