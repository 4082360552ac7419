/** Data images and what a thin device must read as: computed here, compared with what the kernel says. */

import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { expandRange } from '../golden/script.ts';
import type { WalkedDevice, WalkedPool } from '../golden/walk.ts';
import type { RoundTrip } from './oracle.ts';

const SECTOR_SIZE = 512;
const encoder = new TextEncoder();

/** Fills `bytes` with a line over and over. */
function fillWith(bytes: Uint8Array, line: string): void {
  const pattern = encoder.encode(line);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = pattern[i % pattern.length]!;
}

/** What block `index` of a fresh data image holds: lines that say its number. */
export function dataBlock(index: number, blockBytes: number): Uint8Array {
  const bytes = new Uint8Array(blockBytes);
  fillWith(bytes, `data block ${index}\n`);
  return bytes;
}

/** What `blockio write` puts into block `index` of a device: each sector says the tag and its number. */
export function writtenBlock(tag: string, index: number, blockBytes: number): Uint8Array {
  const bytes = new Uint8Array(blockBytes);
  const perBlock = blockBytes / SECTOR_SIZE;
  for (let i = 0; i < perBlock; i += 1) {
    fillWith(bytes.subarray(i * SECTOR_SIZE, (i + 1) * SECTOR_SIZE), `${tag} sector ${index * perBlock + i}\n`);
  }
  return bytes;
}

/** A pool of which only virtual blocks below `end` are looked at: for pools too large to fill with data. */
export function firstBlocks(pool: WalkedPool, end: number): WalkedPool {
  const devices = pool.devices.map((device) => ({
    ...device,
    mappings: device.mappings.filter(([block]) => block < end),
  }));
  return { ...pool, devices };
}

/** Makes a sparse data image in which all blocks that are mapped say their numbers. */
export function makeDataImage(path: string, pool: WalkedPool): void {
  const blockBytes = pool.dataBlockSizeSectors * SECTOR_SIZE;
  const file = openSync(path, 'w');
  try {
    ftruncateSync(file, pool.nrDataBlocks * blockBytes);
    const used = new Set(pool.devices.flatMap((device) => device.mappings.map(([, block]) => block)));
    for (const index of used) writeSync(file, dataBlock(index, blockBytes), 0, blockBytes, index * blockBytes);
  } finally {
    closeSync(file);
  }
}

/** The blocks of one thin device; what is not there reads as zeros. */
export class ThinContents {
  readonly #blockBytes: number;
  readonly #blocks: Map<number, Uint8Array>;

  constructor(blockBytes: number, blocks: Iterable<readonly [number, Uint8Array]> = []) {
    this.#blockBytes = blockBytes;
    this.#blocks = new Map(blocks);
  }

  /** A device as its mappings have it on a fresh data image. */
  static ofFreshImage(device: WalkedDevice, blockBytes: number): ThinContents {
    return new ThinContents(
      blockBytes,
      device.mappings.map(([block, data]) => [block, dataBlock(data, blockBytes)]),
    );
  }

  /** A device as its mappings have it on a data image that was written to. */
  static ofImage(device: WalkedDevice, blockBytes: number, path: string): ThinContents {
    const file = openSync(path, 'r');
    try {
      const blocks = device.mappings.map(([block, data]) => {
        const bytes = new Uint8Array(blockBytes);
        readSync(file, bytes, 0, blockBytes, data * blockBytes);
        return [block, bytes] as const;
      });
      return new ThinContents(blockBytes, blocks);
    } finally {
      closeSync(file);
    }
  }

  /** An independent copy, as a snapshot is. */
  snapshot(): ThinContents {
    return new ThinContents(this.#blockBytes, this.#blocks);
  }

  write(tag: string, range: string): void {
    for (const block of expandRange(range)) this.#blocks.set(block, writtenBlock(tag, block, this.#blockBytes));
  }

  discard(begin: number, count: number): void {
    for (let block = begin; block < begin + count; block += 1) this.#blocks.delete(block);
  }

  /** SHA-256 of the first `nrBlocks` blocks, in hexadecimal. */
  sha256(nrBlocks: number): string {
    const hash = createHash('sha256');
    const zeros = new Uint8Array(this.#blockBytes);
    for (let block = 0; block < nrBlocks; block += 1) hash.update(this.#blocks.get(block) ?? zeros);
    return hash.digest('hex');
  }
}

/** The contents of all devices of a pool through a round trip. */
export interface ExpectedContents {
  readonly before: ReadonlyMap<number, ThinContents>;
  /** After writes and discards, devices that were opened only. */
  readonly written: ReadonlyMap<number, ThinContents>;
  /** After the messages: snapshots made, devices deleted. */
  readonly after: ReadonlyMap<number, ThinContents>;
}

function applyMessages(devices: Map<number, ThinContents>, messages: readonly string[], blockBytes: number): void {
  for (const message of messages) {
    const [verb, id, origin] = message.split(' ');
    if (verb === 'create_thin') devices.set(Number(id), new ThinContents(blockBytes));
    if (verb === 'create_snap') devices.set(Number(id), devices.get(Number(origin))!.snapshot());
    if (verb === 'delete') devices.delete(Number(id));
  }
}

/** Computes what a round trip of a pool on a fresh data image must show. */
export function expectContents(pool: WalkedPool, trip: RoundTrip): ExpectedContents {
  const blockBytes = pool.dataBlockSizeSectors * SECTOR_SIZE;
  const devices = new Map(pool.devices.map((device) => [device.id, ThinContents.ofFreshImage(device, blockBytes)]));
  const copy = () => new Map([...devices].map(([id, contents]) => [id, contents.snapshot()]));
  applyMessages(devices, trip.before ?? [], blockBytes);
  const before = copy();
  for (const { id, range } of trip.writes ?? []) devices.get(id)!.write(`thin-${id}`, range);
  for (const { id, begin, count } of trip.discards ?? []) devices.get(id)!.discard(begin, count);
  const written = copy();
  applyMessages(devices, trip.after ?? [], blockBytes);
  return { before, written, after: devices };
}
