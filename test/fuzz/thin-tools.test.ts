/**
 * The tools over thin metadata on damaged and hostile images: each ends, and either answers or throws an error of the library with its place, never an
 * assertion. `npm run test:fuzz -- --seed N --runs N` runs more.
 */

import { deflateSync, inflateSync } from 'node:zlib';
import { PersistentDataError } from 'persistent-data';
import { MemoryDevice } from 'persistent-data/io';
import { mutateThin, Random, ThinPatient } from 'persistent-data/testing';
import {
  countHistogram,
  exclusiveBlocks,
  findRoots,
  freeDataRuns,
  highestMapped,
  packMetadata,
  previewRepair,
  reverseMap,
  runLengths,
  salvageMappings,
  sharingCensus,
  sharingMatrix,
  ThinImage,
  thinDelta,
} from 'persistent-data/thin';
import { expect, test } from 'vitest';
import { goldenImage } from '../golden/image.ts';

const seed = Number(process.env.PDATA_SEED ?? 1);
const runs = Number(process.env.PDATA_RUNS ?? 40);
const IMAGES = ['thin/multi-64k-clean', 'thin/metasnap', 'tools/gen', 'tools/units'];
const nothing = (): void => undefined;

/** Every tool, on one device. */
const TOOLS: Readonly<Record<string, (device: MemoryDevice) => unknown>> = {
  ls: (device) => {
    const image = new ThinImage(device);
    const devices = image.devices();
    return [
      exclusiveBlocks(image, devices),
      highestMapped(image, devices),
      sharingMatrix(sharingCensus(image, devices)),
    ];
  },
  rmap: (device) => {
    const image = new ThinImage(device);
    return [...reverseMap(image, image.devices(), [{ begin: 0, end: 2 ** 40 }], { all: true })].length;
  },
  delta: (device) => {
    const image = new ThinImage(device);
    const roots = [...image.roots().values()];
    for (const root of roots) thinDelta(image, roots[0]!, root, nothing);
  },
  salvage: (device) => {
    for (const root of new ThinImage(device).roots().values())
      salvageMappings(device, root, { map: nothing, lost: nothing });
  },
  roots: (device) => {
    const found = findRoots(device);
    for (const candidate of found.mapping.slice(0, 4)) previewRepair(device, found, candidate);
  },
  stat: (device) => {
    const image = new ThinImage(device);
    return [
      countHistogram(image, 'data'),
      countHistogram(image, 'metadata'),
      freeDataRuns(image).length,
      runLengths(image),
    ];
  },
  pack: (device) =>
    packMetadata(device, nothing, {
      zlib: { deflate: (bytes) => deflateSync(bytes), inflate: (bytes) => inflateSync(bytes) },
    }),
};

test.each(IMAGES)(`tools on mutations of %s (seed ${seed})`, { timeout: 60_000 }, (path) => {
  const at = path.lastIndexOf('/');
  const sound = MemoryDevice.from(goldenImage(path.slice(0, at), path.slice(at + 1)).bytes());
  const patient = new ThinPatient(sound);
  const random = new Random(seed);
  for (let run = 0; run < runs; run++) {
    const device = sound.fork();
    const what = mutateThin(patient, device, random);
    for (const [tool, use] of Object.entries(TOOLS)) {
      try {
        use(device);
      } catch (error) {
        expect(error instanceof PersistentDataError, `${tool}, run ${run}: ${what}: ${String(error)}`).toBe(true);
      }
    }
  }
});
