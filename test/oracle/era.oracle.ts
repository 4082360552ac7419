/**
 * A real kernel opens era metadata that we wrote, writes, begins eras, takes and drops metadata snapshots, and we accept what it leaves: each block is
 * of the era in which it was last written. Slow: `npm run test:oracle`.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkEra, dumpEraXml, EraMetadata, EraRestore, restoreEraXml, salvageEra } from 'persistent-data/era';
import { MemoryDevice } from 'persistent-data/io';
import { EraPatient } from 'persistent-data/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OracleResult, oracleInstalled, runOracle } from './oracle.ts';

const folder = mkdtempSync(join(tmpdir(), 'pdata-oracle-era-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NR_BLOCKS = 1200;
/** 8 KiB, in sectors. */
const BLOCK = 16;

/** What the kernel does: a block that it writes, or a word of era-roundtrip.sh that begins an era or not. */
type Step = readonly [word: string, begin: number, end: number] | string;

const STEPS: readonly Step[] = [
  ['write', 0, 3],
  'checkpoint',
  ['write', 2, 5],
  ['write', 1100, 1200],
  'reopen',
  ['write', 600, 601],
];

interface EraCase {
  readonly name: string;
  readonly write: () => MemoryDevice;
  readonly steps: readonly Step[];
}

/** Archived writesets, a current one, a digested era, as a crash leaves them; and the metadata snapshot that is asked for. */
function created(options: { readonly snapshot?: boolean; readonly suspend?: boolean } = {}): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 256 });
  const era = EraMetadata.format(device, { blockSizeSectors: BLOCK });
  era.resume(NR_BLOCKS);
  for (const begin of [0, 500, 1018, 1100]) {
    era.markWritten(Array.from({ length: 60 }, (_, i) => begin + i));
    if (begin === 500) era.digest();
    era.checkpoint();
  }
  era.markWritten([7, 64, 1199]);
  if (options.snapshot) era.takeMetadataSnapshot();
  era.markWritten([8]);
  if (options.suspend) era.suspend();
  return device;
}

function restored(): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 256 });
  restoreEraXml(device, dumpEraXml(created()));
  return device;
}

function repaired(): MemoryDevice {
  const damaged = created();
  damaged.write(new EraPatient(damaged).eraBlocks[0]!, [new Uint8Array(4096)]);
  const device = new MemoryDevice({ nrBlocks: 256 });
  expect(salvageEra(damaged, new EraRestore(device))).toHaveLength(1);
  return device;
}

const CASES: readonly EraCase[] = [
  { name: 'closed cleanly', write: () => created({ suspend: true }), steps: ['snap', ...STEPS, 'drop'] },
  { name: 'left by a crash', write: () => created(), steps: STEPS },
  { name: 'with a metadata snapshot', write: () => created({ snapshot: true }), steps: [...STEPS, 'drop', 'snap'] },
  { name: 'restored', write: restored, steps: STEPS },
  { name: 'repaired', write: repaired, steps: STEPS },
];

const BEGINS_ERA = ['checkpoint', 'snap', 'reopen'];

/** What has to be said afterwards: the eras of all blocks, and the current one. */
function expected(device: MemoryDevice, steps: readonly Step[]): { eras: number[]; currentEra: number } {
  const era = EraMetadata.open(device.fork());
  const eras = Array.from({ length: NR_BLOCKS }, (_, b) => era.eraOf(b));
  // Opening begins one.
  let currentEra = era.currentEra + 1;
  for (const step of steps) {
    if (typeof step !== 'string') eras.fill(currentEra, step[1], step[2]);
    else if (BEGINS_ERA.includes(step)) currentEra++;
  }
  return { eras, currentEra };
}

describe.skipIf(!oracleInstalled()).each(CASES.map((each) => [each.name, each] as const))(
  'a Linux kernel, given era metadata %s',
  (name, { write, steps }) => {
    const metadata = join(folder, `${name}.meta`);
    const origin = join(folder, `${name}.origin`);
    let result: OracleResult;
    let wanted: ReturnType<typeof expected>;

    beforeAll(async () => {
      const device = write();
      expect([...checkEra(device)]).toEqual([]);
      wanted = expected(device, steps);
      writeFileSync(metadata, device.toBytes());
      writeFileSync(origin, new Uint8Array(NR_BLOCKS * BLOCK * 512));
      const words = steps.map((step) => (typeof step === 'string' ? step : `${step[0]}:${step[1]}-${step[2] - 1}`));
      result = await runOracle({
        script: join(import.meta.dirname, 'guest/era-roundtrip.sh'),
        disks: [metadata, origin],
        env: { BLOCK: String(BLOCK), STEPS: words.join(' ') },
      });
    }, 300_000);

    test('opens it, uses it and takes it down', () => {
      expect(result.status, result.output).toBe(0);
      expect(result.output).toContain('era round trip: done');
    });

    test('leaves what our check accepts, with the era of each block', () => {
      const device = MemoryDevice.from(new Uint8Array(readFileSync(metadata)));
      expect([...checkEra(device)]).toEqual([]);
      const era = EraMetadata.open(device);
      expect([era.currentEra, era.hasCurrentWriteset]).toEqual([wanted.currentEra, false]);
      expect(Array.from({ length: NR_BLOCKS }, (_, b) => era.eraOf(b))).toEqual(wanted.eras);
    });
  },
);
