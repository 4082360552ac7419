import type { BlockDevice } from '../io/index.ts';
import type { FoundRoots, MappingCandidate } from './find-roots.ts';
import { ThinImage } from './image.ts';
import { RunList } from './run-list.ts';
import { salvageMappings } from './salvage.ts';

/** What becomes of a range of virtual blocks. */
export type PreviewKind = 'changed' | 'lost' | 'revived' | 'unreadable';

/** A range of virtual blocks, half-open, that will not be as it was. */
export interface PreviewRange {
  readonly kind: PreviewKind;
  readonly begin: number;
  /** `null`: to the end of the device. */
  readonly end: number | null;
}

/** What becomes of a device. */
export interface DevicePreview {
  readonly id: number;
  /** `lost`: the candidate does not have it. `revived`: the latest state does not. `kept`: nothing changes. */
  readonly fate: 'kept' | 'changed' | 'lost' | 'revived';
  /** Mappings that the candidate has. */
  readonly mappings: number;
  /** Mappings by the time they were made, newest first. */
  readonly times: readonly (readonly [time: number, count: number])[];
  /** Mappings of the latest state that stay as they are. */
  readonly kept: number;
  /** Virtual blocks that go back to other data blocks. */
  readonly changed: number;
  /** Mappings of the latest state that are gone; `null` when that cannot be known exactly. */
  readonly lost: number | null;
  /** Bounds of it, from what can be read and from the number of mappings that the details tell; `null`: there is none. */
  readonly lostAtLeast: number;
  readonly lostAtMost: number | null;
  /** Mappings that are in the candidate alone. */
  readonly revived: number;
  /** Where it differs, in order; all ranges. */
  readonly ranges: readonly PreviewRange[];
}

/** The roots of the latest state that is known of: those of the superblock, or of the newest candidate. */
interface Latest {
  readonly roots: ReadonlyMap<number, number>;
  readonly mapped: ReadonlyMap<number, number>;
}

/**
 * Tells what a repair with a candidate would keep and lose, device by device, against the latest state there is a trace of: what the superblock leads to, as
 * far as it can be read, or the newest candidate. Reads the mappings of devices whose roots differ; takes 48 bytes of memory for each run of mappings.
 */
export function previewRepair(device: BlockDevice, found: FoundRoots, candidate: MappingCandidate): DevicePreview[] {
  const latest = latestState(device, found);
  const ids = [...new Set([...latest.mapped.keys(), ...latest.roots.keys(), ...candidate.devices.keys()])];
  return ids
    .sort((a, b) => a - b)
    .map((id) => {
      const root = latest.roots.get(id);
      const own = candidate.devices.get(id);
      const expected = latest.mapped.get(id);
      const times = [...(own?.summary.times ?? [])].sort(([a], [b]) => b - a);
      const base = { id, mappings: own?.summary.nrMappings ?? 0, times };
      if (own === undefined) {
        const lost = expected ?? countMappings(device, root);
        return { ...base, fate: 'lost', kept: 0, changed: 0, ...exactly(lost), revived: 0, ranges: [] };
      }
      if (own.root === root) {
        return { ...base, fate: 'kept', kept: base.mappings, changed: 0, ...exactly(0), revived: 0, ranges: [] };
      }
      if (root === undefined && expected === undefined) {
        return { ...base, fate: 'revived', kept: 0, changed: 0, ...exactly(0), revived: base.mappings, ranges: [] };
      }
      if (root === undefined) {
        // Its tree is lost, and only the details tell how much was in it.
        const bounds = between(Math.max(0, expected! - base.mappings), expected!);
        return { ...base, fate: 'changed', kept: 0, changed: 0, ...bounds, revived: 0, ranges: [] };
      }
      return { ...base, ...compare(device, { root, expected }, own.root) };
    });
}

type Loss = Pick<DevicePreview, 'lost' | 'lostAtLeast' | 'lostAtMost'>;

function exactly(lost: number | null): Loss {
  return { lost, lostAtLeast: lost ?? 0, lostAtMost: lost };
}

function between(lostAtLeast: number, lostAtMost: number | null): Loss {
  return { lost: lostAtLeast === lostAtMost ? lostAtLeast : null, lostAtLeast, lostAtMost };
}

/** What the superblock leads to, as far as that can be read. */
function latestState(device: BlockDevice, found: FoundRoots): Latest {
  let roots: ReadonlyMap<number, number> | undefined;
  let mapped: ReadonlyMap<number, number> | undefined;
  if (found.superblock !== undefined) {
    try {
      roots = new ThinImage(device).roots();
    } catch {
      // The list of devices is lost: the details may still tell which there were.
    }
    try {
      mapped = new Map([...new ThinImage(device).details()].map(([id, { mappedBlocks }]) => [id, mappedBlocks]));
    } catch {
      // The details are lost.
    }
  }
  if (roots === undefined && mapped === undefined) {
    const newest = found.pairs[0]?.mapping ?? found.mapping[0];
    roots = new Map([...(newest?.devices ?? [])].map(([id, { root }]) => [id, root]));
    mapped = new Map([...(newest?.devices ?? [])].map(([id, { summary }]) => [id, summary.nrMappings]));
  }
  return { roots: roots ?? new Map(), mapped: mapped ?? new Map() };
}

function countMappings(device: BlockDevice, root: number | undefined): number | null {
  if (root === undefined) return null;
  let count = 0;
  let isWhole = true;
  salvageMappings(device, root, {
    map: (_virtual, _data, length) => {
      count += length;
    },
    lost: () => {
      isWhole = false;
    },
  });
  return isWhole ? count : null;
}

/** @param latest - The device's tree, and how many mappings are in it according to its details. */
function compare(
  device: BlockDevice,
  { root, expected }: { readonly root: number; readonly expected: number | undefined },
  candidateRoot: number,
) {
  const before = new RunList();
  const after = new RunList();
  const ranges: PreviewRange[] = [];
  salvageMappings(device, root, {
    map: (virtual, data, length) => before.push(virtual, data, length),
    lost: (begin, end) =>
      ranges.push({ kind: 'unreadable', begin, end: end === Number.POSITIVE_INFINITY ? null : end }),
  });
  const unreadable = [...ranges];
  salvageMappings(device, candidateRoot, {
    map: (virtual, data, length) => after.push(virtual, data, length),
    lost: () => undefined,
  });
  const counts = { kept: 0, changed: 0, lost: 0, revived: 0 };
  forEachDifference(before, after, (kind, begin, length) => {
    counts[kind] += length;
    if (kind === 'kept') return;
    const last = ranges.at(-1);
    if (last?.kind === kind && last.end === begin) ranges[ranges.length - 1] = { ...last, end: begin + length };
    else ranges.push({ kind, begin, end: begin + length });
  });
  ranges.sort((a, b) => a.begin - b.begin);
  return {
    ...counts,
    ...loss(counts, unreadable, { expected, after }),
    fate: ranges.length === 0 ? ('kept' as const) : ('changed' as const),
    ranges,
  };
}

/** Where the latest state cannot be read, the candidate's mappings may be those that were there, or not. */
function loss(
  counts: { readonly kept: number; readonly changed: number; readonly lost: number },
  unreadable: readonly PreviewRange[],
  { expected, after }: { readonly expected: number | undefined; readonly after: RunList },
): Loss {
  if (unreadable.length === 0) return exactly(counts.lost);
  if (expected === undefined) return between(counts.lost, null);
  const unread = Math.max(0, expected - counts.kept - counts.changed - counts.lost);
  let maybe = 0;
  for (let i = 0; i < after.length; i++) {
    const begin = after.virtual[i]!;
    const end = begin + after.count[i]!;
    for (const range of unreadable) {
      const upTo = Math.min(end, range.end ?? end);
      maybe += Math.max(0, upTo - Math.max(begin, range.begin));
    }
  }
  return between(counts.lost + Math.max(0, unread - maybe), counts.lost + unread);
}

type Difference = 'kept' | 'changed' | 'lost' | 'revived';

/** Goes through two lists of runs in order. */
function forEachDifference(
  before: RunList,
  after: RunList,
  visit: (kind: Difference, begin: number, length: number) => void,
): void {
  let i = 0;
  let j = 0;
  // How much of the two runs has been taken.
  let iDone = 0;
  let jDone = 0;
  while (i < before.length || j < after.length) {
    const a = i < before.length ? before.virtual[i]! + iDone : Number.POSITIVE_INFINITY;
    const b = j < after.length ? after.virtual[j]! + jDone : Number.POSITIVE_INFINITY;
    const aLeft = i < before.length ? before.count[i]! - iDone : 0;
    const bLeft = j < after.length ? after.count[j]! - jDone : 0;
    let length: number;
    if (a === b) {
      length = Math.min(aLeft, bLeft);
      visit(before.data[i]! + iDone === after.data[j]! + jDone ? 'kept' : 'changed', a, length);
      iDone += length;
      jDone += length;
    } else if (a < b) {
      length = Math.min(aLeft, b - a);
      visit('lost', a, length);
      iDone += length;
    } else {
      length = Math.min(bLeft, a - b);
      visit('revived', b, length);
      jDone += length;
    }
    if (i < before.length && iDone === before.count[i]!) {
      i++;
      iDone = 0;
    }
    if (j < after.length && jDone === after.count[j]!) {
      j++;
      jDone = 0;
    }
  }
}
