/**
 * Random lives of a pool, in the kernel and in the library: the same metadata device, byte for byte, after every few pieces of work.
 * Slow: `npm run test:oracle`; `PDATA_SEED` and `PDATA_RUNS` say which lives, and how many.
 */

import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { describeDifferences } from '../golden/compare.ts';
import { ImageDevice } from '../golden/image-device.ts';
import { thinMetadata } from '../golden/library.ts';
import { parseScript } from '../golden/script.ts';
import { Target } from '../golden/target.ts';
import { oracleInstalled, runOracle } from './oracle.ts';
import { randomPoolScript } from './random-pool.ts';

const NR_METADATA_BLOCKS = 1024;
const NR_STEPS = 8;
const SECTOR_SIZE = 512;

const firstSeed = Number(process.env.PDATA_SEED ?? 1);
const seeds = Array.from({ length: Number(process.env.PDATA_RUNS ?? 1) }, (_, i) => firstSeed + i);

const folder = mkdtempSync(join(tmpdir(), 'pdata-oracle-replay-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function disk(name: string, nrBytes: number): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, nrBytes);
  return path;
}

/** Lets the kernel live a life; its metadata device at each step, by the step's name. */
async function kernelImages(script: string): Promise<Map<string, Uint8Array>> {
  const path = join(folder, 'life.sh');
  writeFileSync(path, script);
  const nrBytes = NR_METADATA_BLOCKS * 4096;
  const [metadata, data, out] = [disk('meta', nrBytes), disk('data', 2 ** 32), disk('out', nrBytes * NR_STEPS)];
  const { status, output } = await runOracle({ script: path, disks: [metadata, data, out] });
  expect(status, output.slice(-2000)).toBe(0);
  const saved = new Uint8Array(readFileSync(out));
  const saves = output.matchAll(/^@@save (\S+) (\d+) (\d+)$/gm);
  return new Map(
    [...saves].map(([, name, slot, size]) => {
      const begin = Number(slot) * SECTOR_SIZE;
      return [name!, saved.subarray(begin, begin + Number(size) * SECTOR_SIZE)];
    }),
  );
}

describe.skipIf(!thinMetadata || !oracleInstalled())('a random life of a pool', () => {
  // A second try, as the kernel's timed commit falls into a piece of work when the machine stalls for a second.
  test.each(seeds)('seed %i gives the bytes of the kernel', { retry: 1, timeout: 300_000 }, async (seed) => {
    const script = randomPoolScript({ seed, nrSteps: NR_STEPS, piecesPerStep: 12 });
    const images = await kernelImages(script);
    const device = new ImageDevice(NR_METADATA_BLOCKS);
    const target = new Target(device, thinMetadata!);
    for (const { name, commands } of parseScript(script)) {
      for (const command of commands) target.run(command);
      const image = images.get(name);
      if (name === 'end') continue;
      expect(image === undefined ? 'no image' : describeDifferences(device.bytes, image), `step ${name}`).toBe('');
    }
  });
});
