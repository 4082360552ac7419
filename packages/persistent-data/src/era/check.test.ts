import { describe, expect, test } from 'vitest';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import type { Finding } from '../base/index.ts';
import { BITMAP_VALIDATOR, ERA_SUPERBLOCK, ERA_SUPERBLOCK_VALIDATOR, setBitmapCount } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { damageEra, ERA_DAMAGES } from '../testing/era-damage.ts';
import { EraPatient } from '../testing/era-patient.ts';
import { Random } from '../testing/random.ts';
import { checkEra, EraCheck, type EraCheckOptions } from './check.ts';
import { EraMetadata } from './metadata.ts';

/** Metadata with everything in it: archived writesets, a current one, a metadata snapshot, digested eras. */
function whole(): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 300 });
  const era = EraMetadata.format(device, { blockSizeSectors: 128 });
  era.resume(40_000);
  for (let i = 0; i < 5; i++) {
    era.markWritten([i, 1000 * i, 39_999 - i]);
    if (i === 2) era.digest();
    if (i === 2) era.takeMetadataSnapshot();
    else era.checkpoint();
  }
  era.markWritten([77]);
  return device;
}

const codes = (device: MemoryDevice, options?: EraCheckOptions): string[] => [
  ...new Set([...checkEra(device, options)].map(({ code }) => code)),
];

function set(device: MemoryDevice, name: Parameters<typeof ERA_SUPERBLOCK.offset>[0], value: number): void {
  const sick = new SickPool(device);
  sick.reseal(0, ERA_SUPERBLOCK_VALIDATOR, (view) => view.setUint32(ERA_SUPERBLOCK.offset(name), value, true));
}

test('sound metadata has no findings, and all of it is read once', () => {
  const device = whole();
  const told: [number, number][] = [];
  const phases: string[] = [];
  const options: EraCheckOptions = {
    onProgress: (done, total) => told.push([done, total]),
    onPhase: (phase) => phases.push(phase),
  };
  expect([...checkEra(device, options)]).toEqual([]);
  expect(phases).toEqual(['superblock', 'writesets', 'era-array', 'metadata-snapshot', 'metadata-space-map']);
  expect(told.at(-1)![0]).toBeLessThanOrEqual(told.at(-1)![1]);
  const check = new EraCheck(device, { superblockOnly: true });
  expect([...check.run()]).toEqual([]);
  expect(check.superblock?.currentEra).toBe(6);
  expect(() => [...check.run()]).toThrow('runs once');
});

describe('superblocks', () => {
  test('that cannot be believed, of a version to come, of an impossible size', () => {
    const device = whole();
    new SickPool(device).spoil(0, 100);
    expect([...checkEra(device)]).toMatchObject([{ severity: 'fatal', code: 'era.superblock', block: 0 }]);
    const version = whole();
    set(version, 'version', 2);
    expect([...checkEra(version)]).toMatchObject([{ code: 'era.version', message: 'unknown superblock version 2' }]);
    const size = whole();
    set(size, 'nrBlocks', 2 ** 32 - 1);
    expect(codes(size)).toEqual(expect.arrayContaining(['era.size', 'array.gap']));
    expect(codes(new MemoryDevice({ nrBlocks: 0 }))).toEqual(['era.superblock']);
  });

  test('of a metadata snapshot', () => {
    const device = whole();
    const { metadataSnapshot } = EraMetadata.open(device);
    new SickPool(device).spoil(metadataSnapshot, 100);
    expect([...checkEra(device)]).toMatchObject([
      { code: 'era.superblock', block: metadataSnapshot },
      { code: 'era.counts-incomplete', severity: 'warning' },
    ]);
    const beyond = whole();
    set(beyond, 'metadataSnap', 5000);
    expect(codes(beyond)[0]).toBe('era.superblock');
  });
});

test('eras beyond the current one, in the array and in the tree; only the first few of a block are told one by one', () => {
  const device = whole();
  set(device, 'currentEra', 0);
  const findings = [...checkEra(device)];
  const late = findings.filter(({ code }) => code === 'era.writeset');
  expect(late.map(({ message }) => message)).toContain(
    'found an archived writeset of era 5, one below the current era 0 is wanted',
  );
  const values = findings.filter(({ code }) => code === 'era.value');
  expect(values[0]).toMatchObject({ message: 'invalid era value at data block 0: 1', severity: 'fatal' });
  expect(values[0]!.path).toHaveLength(2);
  const wide = new MemoryDevice({ nrBlocks: 100 });
  const era = EraMetadata.format(wide, { blockSizeSectors: 128 });
  era.resume(2000);
  era.markWritten(Array.from({ length: 2000 }, (_, i) => i));
  era.checkpoint();
  era.digest();
  era.suspend();
  set(wide, 'currentEra', 0);
  const told = [...checkEra(wide)].filter(({ code }) => code === 'era.value');
  expect(told).toHaveLength(10);
  expect(told[4]!.message).toBe('invalid era values at 1014 more of data blocks 0 to 1017');
});

test('counts: leaks and others', () => {
  const device = whole();
  const patient = new EraPatient(device);
  const free = [...Array(300).keys()].filter((b) => !patient.uses.has(b));
  const leaked = free.at(-1)!;
  const sick = new SickPool(device);
  const edit = (b: number, count: number) =>
    sick.reseal(patient.bitmaps[0]!, BITMAP_VALIDATOR, () => setBitmapCount(sick.slab.words, 0, b, count));
  edit(leaked, 1);
  const [leak] = [...checkEra(device)].filter(({ severity }) => severity !== 'warning');
  expect(leak).toMatchObject({ severity: 'leak', code: 'space-map.leak', counted: leaked, expected: 0, recorded: 1 });
  edit(leaked, 0);
  edit(patient.eraBlocks[0]!, 0);
  expect(codes(device)).toContain('space-map.count');
});

test.each(ERA_DAMAGES)('damage of kind %s is found', (kind) => {
  const sound = whole();
  const patient = new EraPatient(sound);
  for (let seed = 1; seed <= 6; seed++) {
    const device = sound.fork();
    const text = damageEra(patient, device, kind, new Random(seed));
    if (text === undefined) continue;
    const findings: Finding[] = [...checkEra(device)];
    const isFound = findings.some(({ severity }) => severity === (kind === 'leak' ? 'leak' : 'fatal'));
    expect([kind, seed, text, isFound]).toEqual([kind, seed, text, true]);
  }
});
