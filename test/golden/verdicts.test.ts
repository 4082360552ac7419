/** Our check and our dump of the kernel's images say what version 1.1.0 of the userland tools said of them. */

import { MemoryDevice } from 'persistent-data/io';
import { describe, expect, test } from 'vitest';
import { readPoolXml } from '../oracle/pool-xml.ts';
import { type GoldenImage, goldenImages } from './image.ts';
import { checkThin, dumpThinXml } from './library.ts';
import { REPLAY_POOLS } from './replay.ts';

const images = [...goldenImages('thin'), ...goldenImages('scripted')];
const replayed = REPLAY_POOLS.flatMap((pool) => goldenImages(`replay/${pool}`));
const named = (image: GoldenImage) => [`${image.family}/${image.name}`, image] as const;
const cases = images.map(named);
const replayedCases = replayed.map(named);
const device = (image: GoldenImage) => MemoryDevice.from(image.bytes());

describe.skipIf(!checkThin)('checkThin()', () => {
  test.each(cases)('%s', (_, image) => {
    const record = image.record('check-1.1.txt')!;
    const leaks = [...record.matchAll(/^(\d+) (data|metadata) blocks have leaked/gm)];
    const findings = [...checkThin!(device(image))].filter((finding) => finding.severity !== 'warning');
    expect(findings.filter(({ severity }) => severity === 'fatal')).toEqual([]);
    const nrLeaked = leaks.reduce((sum, [, count]) => sum + Number(count), 0);
    expect(findings.filter(({ severity }) => severity === 'leak')).toHaveLength(nrLeaked);
    expect(findings.length > 0 ? 64 : 0).toBe(Number(/exit status (\d+)/.exec(record)?.[1]));
  });
});

describe.skipIf(!checkThin)('checkThin()', () => {
  test.each(replayedCases)('%s: nothing found', (_, image) => {
    expect([...checkThin!(device(image))]).toEqual([]);
  });
});

describe.skipIf(!dumpThinXml)('dumpThinXml()', () => {
  test.each([...cases, ...replayedCases])('%s', (_, image) => {
    expect(dumpThinXml!(device(image))).toBe(image.record('dump-1.1.xml'));
  });

  const held = cases.filter(([, image]) => image.record('metadata-snap.xml') !== undefined);
  test.each(held)('%s, its metadata snapshot', (_, image) => {
    // Recorded by 0.9.0, which writes no defs.
    const text = dumpThinXml!(device(image), { metadataSnapshot: true });
    expect(readPoolXml(text)).toEqual(readPoolXml(image.record('metadata-snap.xml')!));
  });
});
