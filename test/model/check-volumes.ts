/** What has to be true of a volume's extents, and of the difference of two. */

import type { ThinVolume } from 'persistent-data/thin-pool';
import { BLOCK } from './pool-shape.ts';

/** A volume, and the bytes that it has to show. */
export interface ComparedVolume {
  readonly id: number;
  readonly volume: ThinVolume;
  readonly bytes: Uint8Array;
}

/** Extents of a volume have no gap, and tell all that is mapped. */
export function checkExtents(id: number, volume: ThinVolume): void {
  const extents = volume.extents(0, volume.sizeBytes);
  let end = 0;
  let mapped = 0;
  for (const { offset, length, kind } of extents) {
    if (offset !== end || length <= 0) throw new Error(`extents of volume ${id} have a gap at ${end}`);
    end += length;
    if (kind !== 'unmapped') mapped += Math.ceil(length / BLOCK);
  }
  if (end !== volume.sizeBytes) throw new Error(`extents of volume ${id} end at ${end} of ${volume.sizeBytes}`);
  if (mapped !== volume.mappedBlocks) throw new Error(`${mapped} blocks in extents, ${volume.mappedBlocks} are mapped`);
  const first = volume.extents(1, volume.sizeBytes - 1, { limit: 1 });
  if (first.length !== 1 || first[0]!.kind !== extents[0]!.kind)
    throw new Error('the first extent alone is another one');
}

/** Outside of their difference two volumes are alike. */
export function checkDifference(a: ComparedVolume, b: ComparedVolume): void {
  const merged = a.bytes.slice();
  for (const { offset, length } of a.volume.difference(b.volume)) {
    merged.set(b.bytes.subarray(offset, offset + length), offset);
  }
  if (compareBytes(merged, b.bytes) >= 0)
    throw new Error(`volumes ${a.id} and ${b.id} differ outside their difference`);
}

/** The first place where two runs of bytes differ, or -1. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  if (Buffer.compare(a, b) === 0) return -1;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return a.length;
}
