import { BlockMarks, inPage } from './block-marks.ts';
import { DeviceSets } from './device-sets.ts';
import type { ImageDevice, ThinImage } from './image.ts';
import { walkShared } from './shared-walk.ts';

/** How many data blocks each set of devices has to itself. */
export interface SharingCensus {
  readonly sets: DeviceSets;
  /** Data blocks by set: those that all devices of the set map, and no other. */
  readonly counts: Float64Array;
  /** Ids of the devices, in the order of their numbers in {@link sets}. */
  readonly ids: readonly number[];
}

/** Called now and then with the metadata blocks read so far. */
export interface CensusOptions {
  readonly onProgress?: (nrRead: number) => void;
}

/**
 * Counts the data blocks that only one mapping refers to, for each device: what deleting it would free, as `thin_ls` has it. A block that one device maps
 * twice counts as shared, as it does there.
 *
 * Reads each leaf once; takes 4 bytes of memory a data block.
 */
export function exclusiveBlocks(
  image: ThinImage,
  devices: readonly ImageDevice[],
  options: CensusOptions = {},
): Float64Array {
  const sets = new DeviceSets(devices.length);
  // What a block is marked with that more than one mapping refers to.
  const SHARED = devices.length + 1;
  const marks = new BlockMarks(SHARED);
  const { pages } = marks;
  const counts = new Float64Array(devices.length + 1);
  const roots = devices.map(({ root }) => root);
  walkShared(
    image.scanner,
    roots,
    sets,
    (node, _block, set) => {
      const isShared = set > devices.length;
      const { words } = node;
      let word = node.valueAt(0) >>> 2;
      const end = word + 2 * node.nrEntries;
      for (; word < end; word += 2) {
        const high = words[word + 1]!;
        const page = pages[high >>> 8] ?? marks.pageOf(high);
        const at = inPage(high, words[word]!);
        const old = page[at]!;
        if (old === SHARED) continue;
        if (old === 0 && !isShared) {
          page[at] = set;
          counts[set]!++;
        } else {
          if (old !== 0) counts[old]!--;
          page[at] = SHARED;
        }
      }
    },
    options,
  );
  return counts.subarray(1);
}

/**
 * Counts data blocks by the set of devices that map them: all there is to know of sharing. Reads each leaf once; takes 4 bytes of memory a data
 * block, and some bytes for each different set.
 */
export function sharingCensus(
  image: ThinImage,
  devices: readonly ImageDevice[],
  options: CensusOptions = {},
): SharingCensus {
  const sets = new DeviceSets(devices.length);
  const marks = new BlockMarks(Number.MAX_SAFE_INTEGER);
  let counts = new Float64Array(256);
  const roots = devices.map(({ root }) => root);
  walkShared(
    image.scanner,
    roots,
    sets,
    (node, _block, set) => {
      const { words } = node;
      let word = node.valueAt(0) >>> 2;
      const end = word + 2 * node.nrEntries;
      for (; word < end; word += 2) {
        const page = marks.pageOf(words[word + 1]!);
        const at = inPage(words[word + 1]!, words[word]!);
        const old = page[at]!;
        const now = sets.union(old, set);
        if (now === old) continue;
        if (sets.size > counts.length) counts = enlarged(counts, 2 * sets.size);
        if (old !== 0) counts[old]!--;
        counts[now]!++;
        page[at] = now;
      }
    },
    options,
  );
  return { sets, counts: enlarged(counts, Math.max(sets.size, counts.length)), ids: devices.map(({ id }) => id) };
}

function enlarged(counts: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(length);
  larger.set(counts);
  return larger;
}

/** Data blocks that no device but those with the given ids maps: what deleting them all would free. */
export function exclusiveOfSet({ sets, counts, ids }: SharingCensus, members: readonly number[]): number {
  let wanted = 0;
  for (const id of members) wanted = sets.union(wanted, ids.indexOf(id) + 1);
  let sum = 0;
  for (let set = 1; set < sets.size; set++) if (counts[set]! > 0 && sets.isWithin(set, wanted)) sum += counts[set]!;
  return sum;
}

/** Data blocks that both of two devices map, for all pairs; on the diagonal what each maps. In the order of `ids`. */
export function sharingMatrix({ sets, counts, ids }: SharingCensus): number[][] {
  const matrix = ids.map(() => ids.map(() => 0));
  for (let set = 1; set < sets.size; set++) {
    const count = counts[set] ?? 0;
    if (count === 0) continue;
    const members = sets.devicesOf(set);
    for (const a of members) for (const b of members) matrix[a]![b]! += count;
  }
  return matrix;
}

/** The highest virtual block that is mapped, for each device; `undefined` where nothing is. */
export function highestMapped(image: ThinImage, devices: readonly ImageDevice[]): (number | undefined)[] {
  return devices.map(({ root }) => image.lastKey(root));
}
