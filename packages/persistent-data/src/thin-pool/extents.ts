import { TWO_POW_32 } from '../base/index.ts';
import { forEachEntry, TreeDiff } from '../btree/index.ts';
import { dataBlockAt, timeAt } from '../thin/index.ts';
import type { ByteRange } from './data-device.ts';
import type { PoolEngine } from './pool-engine.ts';
import type { VolumeState } from './volume-state.ts';

/** `unmapped`: shows zeros or the external origin. `shared`: another volume may have the same data block. */
export type ExtentKind = 'unmapped' | 'exclusive' | 'shared';

/** A run of bytes of a volume of one kind. */
export interface Extent extends ByteRange {
  readonly kind: ExtentKind;
}

export interface ExtentOptions {
  /** No more extents than these; the last one may go on. Default: all. */
  readonly limit?: number;
}

/** A run of bytes in which two volumes differ, and what each has there. */
export interface VolumeDifference extends ByteRange {
  /** `added`: only this one has data; `removed`: only the other one; `changed`: both have, in different places. */
  readonly kind: 'added' | 'removed' | 'changed';
}

/** Puts neighbours of one kind together; kinds come in order. */
class RunBuilder<Kind extends string> {
  readonly runs: { offset: number; length: number; kind: Kind }[] = [];

  add(offset: number, length: number, kind: Kind): void {
    const last = this.runs.at(-1);
    if (last !== undefined && last.kind === kind && last.offset + last.length === offset) last.length += length;
    else this.runs.push({ offset, length, kind });
  }
}

/** What lies in a run of bytes of a volume. */
export function volumeExtents(
  engine: PoolEngine,
  volume: VolumeState,
  { offset, length }: ByteRange,
  { limit = Number.POSITIVE_INFINITY }: ExtentOptions,
): Extent[] {
  const { blockBytes } = engine;
  const { core } = engine.metadata;
  const root = core.deviceRoot(volume.id);
  const end = offset + length;
  const builder = new RunBuilder<ExtentKind>();
  let at = offset;
  const add = (to: number, kind: ExtentKind): void => {
    if (to > at) builder.add(at, to - at, kind);
    at = Math.max(at, to);
  };
  const { snapshottedTime } = volume.thin;
  forEachEntry(
    core.deviceTree,
    root,
    (slab, high, low, value) => {
      const begin = (high * TWO_POW_32 + low) * blockBytes;
      add(Math.min(begin, end), 'unmapped');
      add(Math.min(begin + blockBytes, end), snapshottedTime > timeAt(slab, value) ? 'shared' : 'exclusive');
      return builder.runs.length <= limit;
    },
    { begin: Math.floor(offset / blockBytes), end: Math.ceil(end / blockBytes) },
  );
  if (builder.runs.length <= limit) add(end, 'unmapped');
  return builder.runs.slice(0, limit);
}

/** Where, in a run of bytes, the mappings of a volume differ from those of the volume `other` of the same pool. Times do not count. */
export function volumeDifference(
  engine: PoolEngine,
  volume: VolumeState,
  other: number,
  { offset, length }: ByteRange,
  { limit = Number.POSITIVE_INFINITY }: ExtentOptions,
): VolumeDifference[] {
  const { core } = engine.metadata;
  const { blockBytes } = engine;
  const end = offset + length;
  const builder = new RunBuilder<VolumeDifference['kind']>();
  const diff = new TreeDiff(core.deviceTree, core.deviceRoot(volume.id), core.deviceRoot(other), {
    equal: (slabA, atA, slabB, atB) => dataBlockAt(slabA, atA) === dataBlockAt(slabB, atB),
    begin: Math.floor(offset / blockBytes),
    end: Math.ceil(end / blockBytes),
  });
  while (builder.runs.length <= limit && diff.next()) {
    const block = (diff.keyHigh * TWO_POW_32 + diff.keyLow) * blockBytes;
    const kind = diff.rightAt < 0 ? 'added' : diff.leftAt < 0 ? 'removed' : 'changed';
    const begin = Math.max(block, offset);
    builder.add(begin, Math.min(block + blockBytes, end) - begin, kind);
  }
  return builder.runs.slice(0, limit);
}
