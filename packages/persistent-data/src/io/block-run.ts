import { StateError } from '../base/index.ts';
import { BLOCK_SIZE } from './block-device.ts';

/** The longest device that has an exact byte position for each block: 2^41 blocks of 4096 bytes, 8 PiB. */
export const MAX_BLOCKS = 2 ** 41;

/**
 * Checks the arguments of a read or write, for implementers of {@link BlockDevice}. O(buffers).
 *
 * @param nrBlocks - Length of the device, in blocks.
 * @returns The length of the run, in blocks.
 * @throws {RangeError} when a buffer is no multiple of 4096 bytes, or the run is not inside the device.
 */
export function checkRun(
  action: 'read' | 'write',
  begin: number,
  buffers: readonly Uint8Array[],
  nrBlocks: number,
): number {
  let nrBytes = 0;
  for (const buffer of buffers) {
    if (buffer.byteLength % BLOCK_SIZE !== 0) {
      throw new RangeError(
        `Cannot ${action} at block ${begin}: a buffer has ${buffer.byteLength} bytes, a multiple of ${BLOCK_SIZE} is wanted`,
      );
    }
    nrBytes += buffer.byteLength;
  }
  const count = nrBytes / BLOCK_SIZE;
  checkRange(action, begin, count, nrBlocks);
  return count;
}

/**
 * Checks that the blocks `begin` to `begin + count` (half-open) are inside a device. O(1).
 *
 * @throws {RangeError} when they are not, or are no whole numbers.
 */
export function checkRange(action: string, begin: number, count: number, nrBlocks: number): void {
  if (Number.isInteger(begin) && Number.isInteger(count) && begin >= 0 && count >= 0 && begin + count <= nrBlocks)
    return;
  throw new RangeError(
    `Cannot ${action} ${count} blocks at block ${begin}: the device has ${nrBlocks} blocks, a run inside it is wanted`,
  );
}

/**
 * Checks a wanted length, in blocks. O(1).
 *
 * @throws {RangeError} when it is no whole number from 0 to {@link MAX_BLOCKS}.
 */
export function checkLength(nrBlocks: number): void {
  if (Number.isInteger(nrBlocks) && nrBlocks >= 0 && nrBlocks <= MAX_BLOCKS) return;
  throw new RangeError(`Cannot make a device of ${nrBlocks} blocks: a whole number from 0 to ${MAX_BLOCKS} is wanted`);
}

/** @throws {StateError} when `closed`. */
export function checkOpen(closed: boolean, action: string): void {
  if (closed) throw new StateError(`Cannot ${action}: the device is closed, an open one is wanted`);
}
