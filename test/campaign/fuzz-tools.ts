/** What else reads the metadata of thin pools: all of it on a hostile image. */

import type { MemoryDevice } from 'persistent-data/io';
import {
  exclusiveBlocks,
  highestMapped,
  reverseMap,
  salvageMappings,
  sharingCensus,
  ThinImage,
  thinDelta,
} from 'persistent-data/thin';

const NOTHING = (): void => undefined;
/** More runs than these say nothing new. */
const MAX_RUNS = 3000;

function count(runs: Iterable<unknown>): number {
  let nrRuns = 0;
  for (const _ of runs) {
    nrRuns += 1;
    if (nrRuns >= MAX_RUNS) break;
  }
  return nrRuns;
}

/** Each tool once, through `attempt`, which lets errors of known kinds pass. */
export function readWithTools(device: MemoryDevice, attempt: <T>(stage: string, work: () => T) => T | undefined): void {
  const image = attempt('open the image', () => new ThinImage(device));
  if (image === undefined) return;
  const devices = attempt('list the image', () => image.devices());
  for (const { root } of devices?.slice(0, 2) ?? []) {
    attempt('salvage', () => salvageMappings(device, root, { map: NOTHING, lost: NOTHING }));
  }
  if (devices === undefined) return;
  attempt('highest of all', () => highestMapped(image, devices));
  attempt('exclusive', () => exclusiveBlocks(image, devices));
  attempt('sharing', () => sharingCensus(image, devices));
  attempt('reverse map', () => count(reverseMap(image, devices, [{ begin: 0, end: 1000 }])));
  const [a, b] = devices;
  if (a !== undefined && b !== undefined) attempt('delta', () => thinDelta(image, a.root, b.root, NOTHING));
}
