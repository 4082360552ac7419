import { MemoryDevice } from '../io/index.ts';
import { ThinMetadata } from '../thin/index.ts';

/** What one thin device of a {@link ThinShape} is like. */
export interface ThinDeviceShape {
  readonly id: number;
  /** Makes it a snapshot of this device, which comes before it: its mappings are shared. */
  readonly origin?: number;
  /** Blocks to map, from block 0 on. Of a snapshot these are no longer shared with its origin. Default 0. */
  readonly nrMapped?: number;
  /** Fragmentation: the mapped blocks lie in runs of so many, with as long a gap behind each. Default: one run without gaps. */
  readonly runLength?: number;
}

/** A pool to make: sizes in blocks. */
export interface ThinShape {
  /** Default 1024. */
  readonly nrMetadataBlocks?: number;
  /** Default 20,000. */
  readonly nrDataBlocks?: number;
  /** Default 128: blocks of 64 KiB. */
  readonly dataBlockSizeSectors?: number;
  readonly devices: readonly ThinDeviceShape[];
  /** Maps the devices' blocks by turns, so that data blocks that follow each other are of different devices. Default: one after the other. */
  readonly interleaved?: boolean;
  /** Takes a metadata snapshot in the end, then maps the first block of each device anew, so that both are different. */
  readonly metadataSnapshot?: boolean;
}

/** The `n`-th virtual block that a device maps. */
function virtualBlock(n: number, runLength: number): number {
  return Number.isFinite(runLength) ? n + Math.floor(n / runLength) * runLength : n;
}

/**
 * Makes a sound pool of this shape, in memory, closed. The same shape gives the same mappings. A full leaf has 252, and a tree grows by a level
 * with each power of that. O(mappings).
 *
 * @throws {NoSpaceError} when metadata or data device are too small.
 */
export function makeThinPool(shape: ThinShape): MemoryDevice {
  const { nrMetadataBlocks = 1024, nrDataBlocks = 20_000, dataBlockSizeSectors = 128, devices } = shape;
  const device = new MemoryDevice({ nrBlocks: nrMetadataBlocks });
  const pool = ThinMetadata.format(device, { dataBlockSizeSectors, nrDataBlocks });
  // What is shared has to be there first.
  const rounds = shape.interleaved ? roundsOf(devices) : devices.map((each) => [each]);
  for (const round of rounds) {
    for (const { id, origin } of round) {
      if (origin === undefined) pool.createThin(id);
      else pool.createSnapshot({ snapshot: id, origin });
    }
    mapByTurns(pool, round);
    pool.commit();
  }
  if (shape.metadataSnapshot) {
    pool.reserveMetadataSnapshot();
    mapByTurns(
      pool,
      devices.map(({ id }) => ({ id, nrMapped: 1 })),
    );
  }
  pool.close();
  return device;
}

/** Devices that can be filled together: each after its origin. */
function roundsOf(devices: readonly ThinDeviceShape[]): ThinDeviceShape[][] {
  const depths = new Map<number, number>();
  const rounds: ThinDeviceShape[][] = [];
  for (const each of devices) {
    const depth = each.origin === undefined ? 0 : (depths.get(each.origin) ?? 0) + 1;
    depths.set(each.id, depth);
    rounds[depth] ??= [];
    rounds[depth].push(each);
  }
  return rounds;
}

function mapByTurns(pool: ThinMetadata, devices: readonly ThinDeviceShape[]): void {
  const thins = devices.map(({ id }) => pool.openThin(id));
  const most = Math.max(0, ...devices.map(({ nrMapped = 0 }) => nrMapped));
  for (let n = 0; n < most; n++) {
    for (const [i, { nrMapped = 0, runLength = Number.POSITIVE_INFINITY }] of devices.entries()) {
      if (n < nrMapped) thins[i]?.insert(virtualBlock(n, runLength), pool.allocateDataBlock());
    }
  }
  for (const thin of thins) thin.close();
}
