/** Era metadata restored by us and by the userland tools from the same XML, read by both, both ways. */

import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { checkEra, dumpEraXml, EraMetadata, restoreEraXml, writtenSince } from 'persistent-data/era';
import { MemoryDevice } from 'persistent-data/io';
import { Random } from 'persistent-data/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { goldenImages } from '../golden/image.ts';
import { replay } from '../replay.ts';
import { installedTools, type Tools, unpackedTools } from './tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'pdata-interop-era-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string) => join(folder, name);

const generations = [installedTools(), unpackedTools()].flatMap((tools) => tools ?? []);
const versions = generations.map((tools) => [tools.version, tools] as const);

/** What our list of blocks looks like in XML. 0.9.0 has blanks around a sign. */
function listed(device: MemoryDevice, era: number): string {
  const lines: string[] = [];
  writtenSince(device, era, (begin, end) => {
    lines.push(end === begin + 1 ? `  <block block="${begin}"/>` : `  <range begin="${begin}" end="${end}"/>`);
  });
  return ['<blocks>', ...lines, '</blocks>'].join('\n');
}

/** Metadata that our library made in some random eras. */
function worked(seed: number): MemoryDevice {
  const random = new Random(seed);
  const device = new MemoryDevice({ nrBlocks: 200 });
  const era = EraMetadata.format(device, { blockSizeSectors: 128 });
  const nrBlocks = random.between(1, 3000);
  era.resume(nrBlocks);
  for (let i = random.below(6); i > 0; i--) {
    era.markWritten(Array.from({ length: random.below(60) }, () => random.below(nrBlocks)));
    if (random.chance(0.3)) era.digest();
    if (random.chance(0.2) && era.metadataSnapshot === 0) era.takeMetadataSnapshot();
    else era.checkpoint();
  }
  if (random.chance(0.7)) era.suspend();
  else era.commit();
  return device;
}

/** 0.9.0 leaves the current writeset out. */
const ended = (device: MemoryDevice): MemoryDevice => {
  const copy = device.fork();
  EraMetadata.open(copy).suspend();
  return copy;
};

describe.each(versions)('thin-provisioning-tools %s', (_, tools: Tools) => {
  test('accept what we wrote, and see in it what we see; and we what they restored', { timeout: 120_000 }, () => {
    const property = fc.property(fc.nat(), (seed) => {
      const device = ended(worked(seed));
      const xml = dumpEraXml(device);
      writeFileSync(path('ours'), device.toBytes());
      expect(tools.run('era_check', path('ours'))).toMatchObject({ status: 0 });
      expect(tools.run('era_dump', path('ours')).stdout.trimEnd()).toBe(xml);
      const logical = tools.run('era_dump', '--logical', path('ours')).stdout.trimEnd();
      // 0.9.0 keeps the first of several writesets that have a block.
      if (tools.version >= '1') expect(logical).toBe(dumpEraXml(device, { logical: true }));
      for (const since of [1, 2, 4]) {
        const { stdout } = tools.run('era_invalidate', '--written-since', String(since), path('ours'));
        expect(stdout.trimEnd().replaceAll(' = ', '=')).toBe(listed(device, since));
      }
      writeFileSync(path('xml'), xml);
      writeFileSync(path('theirs'), '');
      truncateSync(path('theirs'), 200 * 4096);
      expect(tools.run('era_restore', '-i', path('xml'), '-o', path('theirs'))).toMatchObject({ status: 0 });
      const theirs = MemoryDevice.from(new Uint8Array(readFileSync(path('theirs'))));
      expect([...checkEra(theirs)].filter(({ severity }) => severity !== 'warning')).toEqual([]);
      expect(dumpEraXml(theirs)).toBe(xml);
      const restored = new MemoryDevice({ nrBlocks: 200 });
      restoreEraXml(restored, xml);
      writeFileSync(path('ours'), restored.toBytes());
      expect(tools.run('era_check', path('ours'))).toMatchObject({ status: 0 });
      expect(tools.run('era_dump', path('ours')).stdout.trimEnd()).toBe(xml);
    });
    fc.assert(property, replay('interop', 10));
  });

  test('list the same blocks of the kernel’s images', () => {
    for (const image of goldenImages('era')) {
      // Before 1.3.3 they forget the era array where there is no archived writeset.
      const hasArchived = EraMetadata.open(MemoryDevice.from(image.bytes())).archivedEras().length > 0;
      if (!hasArchived && tools.version >= '1') continue;
      writeFileSync(path('golden'), image.bytes());
      for (const since of [1, 2, 3, 5]) {
        const { stdout } = tools.run('era_invalidate', '--written-since', String(since), path('golden'));
        const ours = listed(MemoryDevice.from(image.bytes()), since);
        expect([image.name, since, stdout.trimEnd().replaceAll(' = ', '=')]).toEqual([image.name, since, ours]);
      }
    }
  });
});
