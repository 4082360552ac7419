/**
 * Reads the trees of thin metadata in the plainest way, without the library under test: nodes are decoded one by one, nothing is
 * checked. Says what is mapped, for comparing with a model.
 */

import { BLOCK_SIZE } from './compare.ts';

/** One mapping: virtual block, data block, time. */
export type Mapping = readonly [virtualBlock: number, dataBlock: number, time: number];

/** A thin device with all its mappings in order. */
export interface WalkedDevice {
  readonly id: number;
  readonly mappedBlocks: number;
  readonly transactionId: number;
  readonly creationTime: number;
  readonly snapshottedTime: number;
  readonly mappings: readonly Mapping[];
}

/** What a superblock refers to. */
export interface WalkedPool {
  readonly time: number;
  readonly transactionId: number;
  readonly nrDataBlocks: number;
  readonly dataBlockSizeSectors: number;
  readonly devices: readonly WalkedDevice[];
}

type Entry = readonly [key: number, offset: number];

class Walker {
  readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  u64(offset: number): number {
    return Number(this.view.getBigUint64(offset, true));
  }

  /** All leaf entries of a tree: keys, and where their values are (bytes from the beginning of the device). */
  *entries(root: number): Generator<Entry> {
    const base = root * BLOCK_SIZE;
    const internal = this.u32(base + 4) === 1;
    const [nrEntries, maxEntries, valueSize] = [this.u32(base + 16), this.u32(base + 20), this.u32(base + 24)];
    for (let i = 0; i < nrEntries; i += 1) {
      const value = base + 32 + maxEntries * 8 + i * valueSize;
      if (internal) yield* this.entries(this.u64(value));
      else yield [this.u64(base + 32 + i * 8), value];
    }
  }

  mappings(root: number): Mapping[] {
    return [...this.entries(root)].map(([key, offset]) => {
      const value = this.view.getBigUint64(offset, true);
      return [key, Number(value >> 24n), Number(value & 0xff_ffffn)];
    });
  }
}

/** Reads all devices of a pool. `superblock` is the block of another superblock, for a metadata snapshot. */
export function walkPool(bytes: Uint8Array, superblock = 0): WalkedPool {
  const walker = new Walker(bytes);
  const base = superblock * BLOCK_SIZE;
  const details = new Map(walker.entries(walker.u64(base + 328)));
  const devices = [...walker.entries(walker.u64(base + 320))].map(([id, offset]) => {
    const at = details.get(id);
    if (at === undefined) throw new Error(`device ${id} has no details`);
    return {
      id,
      mappedBlocks: walker.u64(at),
      transactionId: walker.u64(at + 8),
      creationTime: walker.u32(at + 16),
      snapshottedTime: walker.u32(at + 20),
      mappings: walker.mappings(walker.u64(offset)),
    };
  });
  return {
    time: walker.u32(base + 44),
    transactionId: walker.u64(base + 48),
    nrDataBlocks: walker.u64(base + 64),
    dataBlockSizeSectors: walker.u32(base + 336),
    devices,
  };
}
