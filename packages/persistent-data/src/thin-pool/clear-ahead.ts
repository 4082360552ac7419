import type { ThinMetadata } from '../thin/index.ts';
import type { DataDevice } from './data-device.ts';
import type { ZeroMap } from './zero-map.ts';

/** The most bytes that are cleared at once: bounds the time that a request waits for it. */
const MAX_BYTES = 2 ** 30;

export interface ClearAheadOptions {
  readonly metadata: ThinMetadata;
  readonly data: DataDevice;
  readonly blockBytes: number;
  readonly zeros: ZeroMap;
}

/**
 * Clears free data blocks in advance, a long run at once, where the device can do that without writing zeros. What an earlier opening has left in them is not
 * known: a transaction that was never committed may have written there. Without this a 4 KiB write to a new block of 64 KiB writes all of it.
 *
 * Safe at any moment, as only blocks are cleared that neither this transaction nor the last commit nor a view refers to: after a crash nothing that can be opened
 * shows them. That a clearing may be lost by the crash is no harm either: a block is mapped by a commit only, and a flush of the data, which
 * covers the clearing, comes before that (docs/crash-model.md).
 */
export class ClearAhead {
  readonly #options: ClearAheadOptions;
  /** Where it was done in vain, half-open: not tried again there. */
  #vainBegin = 0;
  #vainEnd = 0;

  constructor(options: ClearAheadOptions) {
    this.#options = options;
  }

  /** Whether `block`, which was just allocated and is not written yet, reads as zeros, after an attempt to clear it with the free blocks behind it. */
  clear(block: number): boolean {
    const { metadata, data, blockBytes, zeros } = this.#options;
    if (data.clear === undefined || (block >= this.#vainBegin && block < this.#vainEnd)) return false;
    const limit = block + Math.max(1, Math.floor(MAX_BYTES / blockBytes));
    const end = metadata.freeDataRunEnd(block + 1, limit);
    const cleared = Math.floor(data.clear(block * blockBytes, (end - block) * blockBytes) / blockBytes);
    if (cleared === 0) {
      this.#vainBegin = block;
      this.#vainEnd = end;
      return false;
    }
    zeros.add(block + 1, block + cleared);
    return true;
  }
}
