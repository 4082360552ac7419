import { expect, test } from 'vitest';
import { checkEra, dumpEraXml, EraMetadata } from '../era/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { damageEra, ERA_DAMAGES, mutateEra } from './era-damage.ts';
import { EraPatient } from './era-patient.ts';
import { generateEra } from './era-shape.ts';
import { Random } from './random.ts';

function generated(seed = 1): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 200 });
  generateEra(device, { nrBlocks: 5000, nrWritesets: 3, share: 0.3 }, new Random(seed));
  return device;
}

test('the same seed gives the same metadata, which is sound and of the shape that was asked for', () => {
  const device = generated();
  expect([...checkEra(device)]).toEqual([]);
  expect(dumpEraXml(generated())).toBe(dumpEraXml(device));
  expect(dumpEraXml(generated(2))).not.toBe(dumpEraXml(device));
  const text = dumpEraXml(device);
  expect(text.match(/<writeset era="\d+" nr_bits="5000">/g)).toHaveLength(3);
  const share = text.match(/value="true"/g)!.length / 15_000;
  expect(share).toBeGreaterThan(0.2);
  expect(share).toBeLessThan(0.4);
  const all = new MemoryDevice({ nrBlocks: 50 });
  generateEra(all, { nrBlocks: 100, nrWritesets: 1, share: 1 }, new Random(1));
  expect(dumpEraXml(all)).toContain('block="0" value="true"');
});

test('a patient knows each block in use', () => {
  const device = generated();
  const patient = new EraPatient(device);
  const { nrMetadataBlocks, nrFreeMetadata } = EraMetadata.open(device);
  const reserve = Math.floor(nrMetadataBlocks / 10);
  expect(patient.uses.size).toBe(nrMetadataBlocks - nrFreeMetadata - reserve);
  for (const [block, use] of patient.uses) expect(patient.image.sealProblem(block, use)).toBeUndefined();
});

test('damage is told, and changes nothing but what it says', () => {
  const sound = generated();
  const patient = new EraPatient(sound);
  for (const kind of ERA_DAMAGES) {
    const device = sound.fork();
    const text = damageEra(patient, device, kind, new Random(3));
    expect(text).toMatch(/\d/);
    expect(Buffer.compare(device.toBytes(), sound.toBytes())).not.toBe(0);
    expect(damageEra(patient, sound.fork(), kind, new Random(3))).toBe(text);
  }
  const texts = Array.from({ length: 40 }, (_, seed) => mutateEra(patient, sound.fork(), new Random(seed)));
  expect(new Set(texts).size).toBeGreaterThan(30);
  const empty = new MemoryDevice({ nrBlocks: 50 });
  EraMetadata.format(empty, { blockSizeSectors: 8 });
  expect(damageEra(new EraPatient(empty), empty, 'farEra', new Random(1))).toBeUndefined();
});
