import { TWO_POW_32 } from '../base/index.ts';
import { DeviceSets } from './device-sets.ts';
import type { ImageDevice, ThinImage } from './image.ts';
import { leavesOf } from './leaf-list.ts';
import { RunList } from './run-list.ts';
import { walkShared } from './shared-walk.ts';

/** Data blocks, half-open. */
export interface DataRegion {
  readonly begin: number;
  readonly end: number;
}

/** A run of data blocks, and where a device maps it. */
export interface ReverseRun {
  readonly dataBegin: number;
  readonly length: number;
  readonly device: number;
  /** First virtual block. */
  readonly virtualBegin: number;
}

/** How to look. */
export interface ReverseMapOptions {
  /**
   * Tells all devices that map a run. Default false: as the userland tools, which list what lies in a leaf that devices share for the first of
   * them only.
   */
  readonly all?: boolean;
  /** Called now and then with the metadata blocks read so far. */
  readonly onProgress?: (nrRead: number) => void;
}

/**
 * Finds which devices map the data blocks of some regions, and where: in the order of data blocks, then of the ends of runs, devices and virtual blocks.
 * A run ends where virtual or data blocks are not adjacent any more.
 *
 * Reads each node once, and the leaf lists of the devices twice. Takes the memory of what is found, and 5 bytes a metadata block.
 */
export function* reverseMap(
  image: ThinImage,
  devices: readonly ImageDevice[],
  regions: readonly DataRegion[],
  options: ReverseMapOptions = {},
): Generator<ReverseRun, void> {
  const merged = mergeRegions(regions);
  if (merged.length === 0) return;
  const inLeaf = findInLeaves(image, devices, merged, options);
  const runs = new RunList();
  const owners: number[] = [];
  for (const { id, root } of devices) {
    const from = runs.length;
    if (inLeaf.leaves.size > 0) collectDevice(image, { root, owner: options.all ? undefined : id }, inLeaf, runs);
    for (let i = from; i < runs.length; i++) owners.push(id);
  }
  const order = sortRuns(runs, owners);
  for (const i of order) {
    yield { dataBegin: runs.data[i]!, length: runs.count[i]!, device: owners[i]!, virtualBegin: runs.virtual[i]! };
  }
}

/** Regions in order, those that touch made one. */
function mergeRegions(regions: readonly DataRegion[]): DataRegion[] {
  const sorted = regions.filter(({ begin, end }) => begin < end).sort((a, b) => a.begin - b.begin);
  const merged: { begin: number; end: number }[] = [];
  for (const { begin, end } of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && begin <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ begin, end });
  }
  return merged;
}

/** What was found in leaves, each looked at once. */
interface FoundInLeaves {
  readonly runs: RunList;
  /** Index of its first run for each leaf that has any, and behind its last, by block. */
  readonly leaves: Map<number, FoundLeaf>;
}

interface FoundLeaf {
  readonly from: number;
  readonly to: number;
  /** The first device that maps it. */
  readonly owner: number;
}

function findInLeaves(
  image: ThinImage,
  devices: readonly ImageDevice[],
  regions: readonly DataRegion[],
  options: ReverseMapOptions,
): FoundInLeaves {
  const runs = new RunList();
  const leaves = new Map<number, FoundLeaf>();
  const lowest = regions[0]!.begin;
  const highest = regions.at(-1)!.end;
  const lowestHigh = Math.floor(lowest / 256);
  const highestHigh = Math.floor(highest / 256);
  const roots = devices.map(({ root }) => root);
  const sets = new DeviceSets(devices.length);
  walkShared(
    image.scanner,
    roots,
    sets,
    (node, block, set) => {
      const { words, nrEntries } = node;
      const from = runs.length;
      let word = node.valueAt(0) >>> 2;
      // The upper words alone rule nearly all mappings out: a data block is 32 bits of one, above 8 of the lower one.
      for (let i = 0; i < nrEntries; i++, word += 2) {
        const high = words[word + 1]!;
        if (high < lowestHigh || high > highestHigh) continue;
        const data = high * 256 + (words[word]! >>> 24);
        if (data < lowest || data >= highest || !isInRegion(regions, data)) continue;
        addMapping(runs, from, node.keyHigh(i) * TWO_POW_32 + node.keyLow(i), data);
      }
      if (runs.length > from) leaves.set(block, { from, to: runs.length, owner: devices[sets.firstOf(set)]!.id });
    },
    options,
  );
  return { runs, leaves };
}

/** Lengthens the last run from `from` on, or begins another. */
function addMapping(runs: RunList, from: number, virtual: number, data: number, length = 1): void {
  const last = runs.length - 1;
  const count = runs.count[last]!;
  if (last >= from && runs.virtual[last]! + count === virtual && runs.data[last]! + count === data) {
    runs.count[last] = count + length;
  } else runs.push(virtual, data, length);
}

function isInRegion(regions: readonly DataRegion[], data: number): boolean {
  let low = 0;
  let high = regions.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (regions[middle]!.begin <= data) low = middle;
    else high = middle;
  }
  return data >= regions[low]!.begin && data < regions[low]!.end;
}

/** Puts the runs of a device's leaves together, in the order of virtual blocks. */
function collectDevice(
  image: ThinImage,
  { root, owner }: { readonly root: number; readonly owner: number | undefined },
  found: FoundInLeaves,
  runs: RunList,
): void {
  const first = runs.length;
  const { blocks } = leavesOf(image.scanner, root, 8);
  for (const block of blocks) {
    const leaf = found.leaves.get(block);
    if (leaf === undefined || (owner !== undefined && leaf.owner !== owner)) continue;
    for (let i = leaf.from; i < leaf.to; i++) {
      addMapping(runs, first, found.runs.virtual[i]!, found.runs.data[i]!, found.runs.count[i]!);
    }
  }
}

function sortRuns(runs: RunList, owners: readonly number[]): Uint32Array {
  const { data, count, virtual } = runs;
  const order = radixOrder(data, runs.length);
  // Runs of one begin are few: they are put in order among themselves.
  const byRest = (a: number, b: number): number =>
    count[a]! - count[b]! || owners[a]! - owners[b]! || virtual[a]! - virtual[b]!;
  for (let begin = 0; begin < order.length; ) {
    let end = begin + 1;
    while (end < order.length && data[order[end]!] === data[order[begin]!]) end++;
    if (end - begin > 1) order.subarray(begin, end).sort(byRest);
    begin = end;
  }
  return order;
}

const DIGIT_BITS = 14;
const DIGITS = 1 << DIGIT_BITS;

/** Indexes in the order of their keys, whole numbers below 2^42: a radix sort in three passes, for millions of runs. */
function radixOrder(keys: Float64Array, length: number): Uint32Array {
  let order = Uint32Array.from({ length }, (_, i) => i);
  let other = new Uint32Array(length);
  for (let divisor = 1; divisor < 2 ** 42; divisor *= DIGITS) {
    const begins = new Uint32Array(DIGITS + 1);
    for (let i = 0; i < length; i++) begins[(Math.floor(keys[i]! / divisor) % DIGITS) + 1]!++;
    if (begins[1] === length) continue;
    for (let digit = 0; digit < DIGITS; digit++) begins[digit + 1]! += begins[digit]!;
    for (let i = 0; i < length; i++) {
      const index = order[i]!;
      other[begins[Math.floor(keys[index]! / divisor) % DIGITS]!++] = index;
    }
    [order, other] = [other, order];
  }
  return order;
}
