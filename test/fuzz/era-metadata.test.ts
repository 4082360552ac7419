/**
 * Era metadata of hostile content with good checksums, opened and used by all that reads it: nothing but typed errors may come of it, in bounded
 * time and memory. `npm run test:fuzz -- --runs N` for more than the smoke.
 */

import fc from 'fast-check';
import { ParseError, PersistentDataError } from 'persistent-data/base';
import {
  checkEra,
  dumpEraXml,
  EraMetadata,
  EraRestore,
  readEraXml,
  salvageEra,
  writtenSince,
} from 'persistent-data/era';
import { MemoryDevice } from 'persistent-data/io';
import { EraPatient, generateEra, mutateEra, Random } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import { goldenImage } from '../golden/image.ts';
import { replay, timeLimit } from '../replay.ts';

const LONGEST_MS = 5000;

function worked(nrBlocks: number): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 120 });
  const era = EraMetadata.format(device, { blockSizeSectors: 8 });
  era.resume(nrBlocks);
  for (let i = 0; i < 4; i++) {
    era.markWritten([i, nrBlocks - 1 - i]);
    if (i === 1) era.takeMetadataSnapshot();
    else era.checkpoint();
    if (i === 0) era.digest();
  }
  era.markWritten([9]);
  return device;
}

function generated(): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 400 });
  generateEra(device, { nrBlocks: 5000, nrWritesets: 150, share: 0.01 }, new Random(1));
  return device;
}

const PATIENTS = [
  worked(700),
  worked(33_000),
  generated(),
  ...['empty', 'metasnap', 'eras-live-1'].map((name) => MemoryDevice.from(goldenImage('era', name).bytes())),
].map((device) => new EraPatient(device));

/** Runs one step. Typed errors are what is wanted; anything else fails the test. */
function step(name: string, work: () => unknown): void {
  const begin = performance.now();
  try {
    work();
  } catch (error) {
    if (!(error instanceof PersistentDataError || error instanceof ParseError)) {
      throw new Error(`${name}: an untyped ${(error as Error).name}: ${(error as Error).message}`, { cause: error });
    }
  }
  const took = performance.now() - begin;
  if (took > LONGEST_MS) throw new Error(`${name} took ${Math.round(took)} ms`);
}

/** All that a device in use goes through, as far as it goes. */
function use(device: MemoryDevice, random: Random): void {
  let era: EraMetadata | undefined;
  step('open', () => {
    era = EraMetadata.open(device, { cacheBlocks: 64 });
  });
  if (era === undefined) return;
  const opened = era;
  // A device that says that it has no blocks has none to ask for.
  if (opened.nrBlocks === 0) return;
  const { nrBlocks } = opened;
  const steps: Record<string, () => unknown> = {
    eraOf: () => opened.eraOf(random.below(nrBlocks)),
    archivedEras: () => opened.archivedEras(),
    status: () => opened.status(),
    mark: () => opened.markWritten([random.below(nrBlocks)]),
    // As many blocks as it says, if that many can be; else a few.
    resume: () => opened.resume(opened.nrBlocks < 1e6 ? opened.nrBlocks : 100),
    markAgain: () => opened.markWritten([0]),
    checkpoint: () => opened.checkpoint(),
    digestSteps: () => {
      for (let i = 0; i < 300 && opened.digestStep(); i++);
    },
    commit: () => opened.commit(),
    snapshot: () => opened.takeMetadataSnapshot(),
    drop: () => opened.dropMetadataSnapshot(),
    suspend: () => opened.suspend(),
  };
  for (const [name, work] of Object.entries(steps)) {
    step(name, () => {
      try {
        work();
      } catch (error) {
        // Whatever failed half-way, a rollback leads back to the last commit, or says why not.
        opened.rollback();
        throw error;
      }
    });
  }
  step('close', () => opened.close());
}

test(
  'hostile metadata gives typed errors only',
  () => {
    const property = fc.property(fc.nat(PATIENTS.length - 1), fc.nat(), (index, seed) => {
      const patient = PATIENTS[index]!;
      const random = new Random(seed);
      const device = (patient.device as MemoryDevice).fork();
      const done: (string | undefined)[] = [];
      for (let i = random.between(1, 4); i > 0; i--) done.push(mutateEra(patient, device, random));
      try {
        const fork = () => device.fork();
        // A check never throws, whatever the disk holds.
        for (const { message } of checkEra(fork())) expect(message).not.toBe('');
        step('dump', () => dumpEraXml(fork()));
        step('logical', () => dumpEraXml(fork(), { logical: true }));
        step('invalidate', () => writtenSince(fork(), 2, () => undefined, { metadataSnapshot: random.chance(0.3) }));
        step('salvage', () => salvageEra(fork(), new EraRestore(new MemoryDevice({ nrBlocks: 2000 }))));
        use(fork(), random);
      } catch (error) {
        throw new Error(`after ${done.join('; ')}: ${(error as Error).message}`, { cause: error });
      }
    });
    fc.assert(property, replay('fuzz', 120));
  },
  timeLimit(60_000),
);

const XML = dumpEraXml(worked(300));

test('hostile XML gives typed errors only', () => {
  const bytes = new TextEncoder().encode(XML);
  const property = fc.property(fc.nat(), (seed) => {
    const random = new Random(seed);
    const text = bytes.slice();
    for (let i = random.between(1, 6); i > 0; i--) {
      const at = random.below(text.length);
      if (random.chance(0.3)) text.copyWithin(at, random.below(text.length), random.below(text.length));
      else text[at] = random.chance(0.5) ? random.pick([0x22, 0x30, 0x39, 0x3c, 0x3e, 0x2f]) : random.below(256);
    }
    const cut = random.chance(0.2) ? random.below(text.length) : text.length;
    step('restore', () => readEraXml([text.subarray(0, cut)], new EraRestore(new MemoryDevice({ nrBlocks: 100 }))));
  });
  fc.assert(property, replay('fuzz', 150));
}, 60_000);
