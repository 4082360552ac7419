import type { CacheCore } from './cache-core.ts';

/** Sectors of a discard region, as the kernel chooses them: cache blocks, doubled until there are at most 2^14 regions. */
export function discardBlockSizeFor(dataBlockSizeSectors: number, originSectors: number): number {
  let size = dataBlockSizeSectors;
  while (originSectors / size > 2 ** 14) size *= 2;
  return size;
}

/** Changes which regions there are; new ones are not discarded. */
export function resizeDiscards(core: CacheCore, blockSizeSectors: number, nrBlocks: number): void {
  const { discards, discardNrBlocks: oldBlocks } = core;
  discards.resize(oldBlocks, nrBlocks, false);
  // What lay behind the end in the last word is anything.
  const end = Math.min(nrBlocks, Math.ceil(oldBlocks / 64) * 64);
  for (let region = oldBlocks; region < end; region++) if (discards.test(region)) discards.clear(region);
  core.discardBlockSizeSectors = blockSizeSectors;
  core.discardNrBlocks = nrBlocks;
}

/** Stores which regions are discarded. */
export function writeDiscards(
  { discards, discardNrBlocks }: CacheCore,
  isDiscarded: (region: number) => boolean,
): void {
  for (let region = 0; region < discardNrBlocks; region++) {
    if (isDiscarded(region)) discards.set(region);
    else discards.clear(region);
  }
}

/** Visits the regions that are discarded. */
export function loadDiscards({ discards, discardNrBlocks }: CacheCore, visit: (region: number) => void): void {
  for (let at = discards.nextSet(0, discardNrBlocks); at >= 0; at = discards.nextSet(at + 1, discardNrBlocks))
    visit(at);
}
