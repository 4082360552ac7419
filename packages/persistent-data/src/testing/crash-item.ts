import { BLOCK_SIZE, type MemoryDevice } from '../io/index.ts';

/** Bytes that a disk writes whole or not at all. */
export const SECTOR_SIZE = 512;

/** The mask of an item all of which arrived: a bit for each of a block's eight sectors, the first sector's lowest. */
export const WHOLE = 0xff;

/** One change that no flush had covered when power failed. */
export type CrashItem =
  | { readonly kind: 'block'; readonly block: number; readonly bytes: Uint8Array }
  | { readonly kind: 'length'; readonly nrBlocks: number };

/** Lets the sectors of `item` that `mask` names arrive on `device`. A block beyond its end has no place and is lost. */
export function applyItem(device: MemoryDevice, item: CrashItem, mask: number): void {
  if (item.kind === 'length') device.resize(item.nrBlocks);
  else if (item.block >= device.nrBlocks) return;
  else if (mask === WHOLE) device.write(item.block, [item.bytes]);
  else {
    const bytes = new Uint8Array(BLOCK_SIZE);
    device.read(item.block, [bytes]);
    for (let sector = 0; sector * SECTOR_SIZE < BLOCK_SIZE; ++sector) {
      if ((mask & (1 << sector)) === 0) continue;
      const begin = sector * SECTOR_SIZE;
      bytes.set(item.bytes.subarray(begin, begin + SECTOR_SIZE), begin);
    }
    device.write(item.block, [bytes]);
  }
}
