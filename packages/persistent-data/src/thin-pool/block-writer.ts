import { NoSpaceError } from '../base/index.ts';
import { PIECE_BYTES, type ReadableData, writeZeros, zeroBuffers } from './data-device.ts';
import { UNMAPPED } from './mapping-cache.ts';
import type { PoolEngine } from './pool-engine.ts';
import type { VolumeState } from './volume-state.ts';

/** Bytes of one virtual block that are written: `bytes` from byte `within` on, or zeros in the whole block. */
export interface BlockChange {
  readonly block: number;
  readonly within: number;
  /** `undefined`: the whole block becomes zeros. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * Writes to a virtual block whose data has to go to a fresh data block: nothing is mapped there, or what is there is shared. The data is put in
 * place first, then mapped. Answers `false` when the request has to wait for space; nothing was done then.
 *
 * @throws {NoSpaceError} of data or metadata when it is not to wait.
 */
export function writeFresh(engine: PoolEngine, volume: VolumeState, change: BlockChange): boolean {
  const { zeros, blockBytes } = engine;
  const old = volume.cache.offsets[volume.locate(change.block)]!;
  for (let isSecond = false; ; isSecond = true) {
    const block = engine.allocate();
    if (block < 0) return false;
    const isZero = zeros.has(block);
    zeros.delete(block);
    const at = block * blockBytes;
    if (old !== UNMAPPED) engine.noteFreed();
    try {
      fill(engine, volume, change, { old, at, isZero });
      engine.change(() => volume.thin.insert(change.block, block));
      volume.cache.set(change.block, at, false);
      return true;
    } catch (error) {
      if (engine.mode.failure !== undefined) throw error;
      engine.giveBack(block);
      if (!(error instanceof NoSpaceError && error.space === 'metadata')) throw error;
      // Refused before anything was changed: allocating took the last block beyond the reserve. The next round commits, and looks again.
      if (isSecond && engine.isOutOfMetadata()) throw error;
      if (isSecond) return false;
    }
  }
}

/** Where the new block is, and what was there before. Byte offsets in the data device. */
interface Places {
  readonly old: number;
  readonly at: number;
  readonly isZero: boolean;
}

/** Puts all bytes of a new block in place. Cases: overwritten wholly; a copy of the shared one; zeros, or what the origin has there. */
function fill(engine: PoolEngine, volume: VolumeState, { block, within, bytes }: BlockChange, places: Places): void {
  const { data, blockBytes } = engine;
  const { old, at, isZero } = places;
  if (bytes === undefined) {
    if (!(isZero || engine.clearAhead(at / blockBytes))) writeZeros(data, at, blockBytes);
    return;
  }
  if (bytes.length === blockBytes) {
    data.write(at, bytes);
    return;
  }
  if (old !== UNMAPPED) {
    copyAround(engine, data, old, { at, within, bytes });
    return;
  }
  const { origin } = volume;
  const begin = block * blockBytes;
  if (origin !== undefined && begin < origin.sizeBytes) {
    copyAround(engine, paddedOrigin(origin), begin, { at, within, bytes });
    return;
  }
  if (isZero || engine.options.skipBlockZeroing || engine.clearAhead(at / blockBytes)) {
    data.write(at + within, bytes);
    return;
  }
  const after = blockBytes - within - bytes.length;
  if (blockBytes <= PIECE_BYTES) {
    data.writeVectored(at, [...zeroBuffers(within), bytes, ...zeroBuffers(after)]);
    return;
  }
  writeZeros(data, at, within);
  data.write(at + within, bytes);
  writeZeros(data, at + within + bytes.length, after);
}

interface Overlay {
  readonly at: number;
  readonly within: number;
  readonly bytes: Uint8Array;
}

/** A block's copy, with new bytes laid over it. */
function copyAround(engine: PoolEngine, source: ReadableData, from: number, { at, within, bytes }: Overlay): void {
  const { data, blockBytes } = engine;
  const end = within + bytes.length;
  for (let begin = 0; begin < blockBytes; begin += PIECE_BYTES) {
    const piece = engine.scratch.subarray(0, Math.min(PIECE_BYTES, blockBytes - begin));
    const pieceEnd = begin + piece.length;
    if (begin < within || pieceEnd > end) source.read(from + begin, piece);
    const first = Math.max(begin, within);
    const last = Math.min(pieceEnd, end);
    if (first < last) piece.set(bytes.subarray(first - within, last - within), first - begin);
    data.write(at + begin, piece);
  }
}

/** An origin with zeros beyond its end. */
function paddedOrigin(origin: ReadableData): ReadableData {
  return { sizeBytes: Number.POSITIVE_INFINITY, read: (offset, into) => readOrigin(origin, offset, into) };
}

/** What an unmapped range shows: the origin, and zeros where it has nothing. */
export function readOrigin(origin: ReadableData | undefined, offset: number, into: Uint8Array): void {
  const length = origin === undefined ? 0 : Math.min(into.length, Math.max(0, origin.sizeBytes - offset));
  if (length > 0) origin!.read(offset, into.subarray(0, length));
  if (length < into.length) into.fill(0, length);
}
