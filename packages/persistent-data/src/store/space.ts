import { NoSpaceError } from '../base/index.ts';
import type { KeptVersion } from '../disk-space-map/index.ts';
import { ENTRIES_PER_BITMAP, MAX_METADATA_BLOCKS } from '../format/index.ts';
import type { StoreCore } from './core.ts';
import type { StoreDisk } from './disk.ts';

/** Growth of the file: an eighth, at least and at most so many blocks. */
const MIN_GROWTH = 64;
const MAX_GROWTH = 16384;
/** Slack of a file that is cut, so that the checkpoint that cuts it finds room. */
const CUT_SLACK = 16;

/**
 * Free blocks of a store, and the growth of its file. Before each operation as many are free as one operation and a checkpoint can take at worst, so
 * that neither fails half-way for want of space.
 */
export class Space {
  /** Free blocks that the space map does not count yet, less those it counts that can't be had yet. */
  bonus = 0;
  /** Free blocks that are kept back. */
  reserve = 0;
  readonly #disk: StoreDisk;
  readonly #onGrow: (event: { readonly from: number; readonly to: number }) => void;
  #core: StoreCore;
  /** Holders of checkpoints, and blocks that may have become free since, and be theirs. */
  #nrHolds = 0;
  #heldBack = 0;
  /** What is to be told later, in {@link quietly}. */
  #untold: { readonly from: number; readonly to: number }[] | undefined;

  constructor(
    disk: StoreDisk,
    core: StoreCore,
    onGrow: (event: { readonly from: number; readonly to: number }) => void,
  ) {
    this.#disk = disk;
    this.#core = core;
    this.#onGrow = onGrow;
    this.#setReserve();
  }

  /** Blocks that may be allocated now. */
  get nrAvailable(): number {
    return this.#core.spaceMap.nrFree + this.bonus;
  }

  /** Blocks that operations could allocate at most, if the file grows as far as it can. */
  get nrReachable(): number {
    return this.#limit - this.#core.spaceMap.nrBlocks + this.nrAvailable - this.reserve;
  }

  /** Does something half-way through which nobody may look at the store: that the file grows is told afterwards. */
  quietly(work: () => void): void {
    const untold: { readonly from: number; readonly to: number }[] = [];
    this.#untold = untold;
    try {
      work();
    } finally {
      this.#untold = undefined;
    }
    for (const event of untold) this.#onGrow(event);
  }

  /** Makes sure that enough is free for the next operation and a checkpoint. @throws {NoSpaceError} when there is not; nothing has changed then. */
  ensure(): void {
    if (this.nrAvailable < this.reserve) this.#grow(this.reserve);
  }

  /** As {@link ensure}, for an operation that takes so many blocks more. */
  ensureFor(nrBlocks: number): void {
    // Trees over them, and bitmaps.
    const wanted = this.reserve + nrBlocks + Math.ceil(nrBlocks / 64);
    if (this.nrAvailable < wanted) this.#grow(wanted);
  }

  /** A checkpoint was written: what became free in it is still in use by the one before. @param before - {@link nrAvailable} before it. */
  checkpointWritten(before: number): void {
    this.bonus = Math.min(0, before - this.#core.spaceMap.nrFree);
    if (this.#nrHolds > 0) this.#heldBack = Math.max(this.#heldBack, -this.bonus);
  }

  /** A checkpoint is durable. */
  checkpointDone(): void {
    this.bonus = -this.#heldBack;
    this.#setReserve();
  }

  /** The core was opened anew, from the last checkpoint. */
  reopened(core: StoreCore): void {
    this.#core = core;
    this.bonus = Math.min(this.bonus, 0);
    this.#setReserve();
  }

  /** Holds the last checkpoint, so that none of its blocks is written until the answer is called. The file may grow meanwhile. */
  hold(): { readonly version: KeptVersion; readonly release: () => void } {
    const version = this.#core.spaceMap.keepCommitted();
    this.#nrHolds++;
    const release = (): void => {
      this.#disk.parts.kept.release(version);
      this.#nrHolds--;
      if (this.#nrHolds > 0) return;
      this.bonus += this.#heldBack;
      this.#heldBack = 0;
    };
    return { version, release };
  }

  /** Lets what is allocated from now on lie as low as it can, so that the end becomes free. */
  startLow(): void {
    this.#core.spaceMap.cursor = 0;
  }

  /** Takes the free end out of use, right after a checkpoint. Answers whether that is worth another one: then the file may be cut. */
  cut(): boolean {
    const { spaceMap } = this.#core;
    if (this.#disk.device.resize === undefined) return false;
    let end = spaceMap.nrBlocks;
    while (end > 0 && spaceMap.getCount(end - 1) === 0) end--;
    const wanted = end + CUT_SLACK + 2 * Math.ceil(spaceMap.nrBlocks / ENTRIES_PER_BITMAP);
    if (wanted + MIN_GROWTH > spaceMap.nrBlocks) return false;
    spaceMap.shrink(wanted);
    return true;
  }

  #setReserve(): void {
    const { nrBlocks } = this.#core.spaceMap;
    // All bitmaps may have to be shadowed; and of the tree of large counts as much as there can be of it.
    this.reserve = 64 + 2 * Math.ceil(nrBlocks / ENTRIES_PER_BITMAP) + (nrBlocks >>> 5);
  }

  /** Blocks that the store may have. */
  get #limit(): number {
    const { device } = this.#disk;
    return device.resize === undefined ? device.nrBlocks : MAX_METADATA_BLOCKS;
  }

  #grow(wanted: number): void {
    const { device, blockManager } = this.#disk;
    const { spaceMap } = this.#core;
    const from = spaceMap.nrBlocks;
    const missing = wanted - this.nrAvailable;
    const step = Math.max(missing + MIN_GROWTH, Math.min(MAX_GROWTH, from >>> 3));
    const to = Math.min(from + step, this.#limit);
    if (to - from < missing) {
      const text = `Cannot change the store: all but ${this.nrAvailable} of its ${from} blocks are in use, ${wanted} are wanted free, and it cannot grow`;
      throw new NoSpaceError(text, 'metadata');
    }
    if (device.nrBlocks < to || blockManager.nrBlocks < to) blockManager.resize(Math.max(to, device.nrBlocks));
    const before = spaceMap.root.nrAllocated;
    const { cursor } = spaceMap;
    spaceMap.extend(to - from);
    // What is left below comes first, or every growth would leave the reserve behind.
    spaceMap.cursor = cursor;
    this.bonus += to - from - (spaceMap.root.nrAllocated - before);
    this.#setReserve();
    if (this.#untold === undefined) this.#onGrow({ from, to });
    else this.#untold.push({ from, to });
  }
}
