import type { MemoryDevice } from '../io/index.ts';
import { applyItem, type CrashItem, WHOLE } from './crash-item.ts';
import { crashMasks, type SamplingOptions } from './crash-sampling.ts';

/** What else is known of a crash point. */
export interface CrashPointFacts {
  /** How many crash points its device had before. */
  readonly index: number;
  /** When it was taken: `before flush 3`, `after flush 3`, `after write 17`, or what the caller said. 0-based. */
  readonly label: string;
  /** Calls to `write` before it. */
  readonly nrWrites: number;
  /** Calls to `flush` and `flushAsync` that had succeeded before it. */
  readonly nrFlushes: number;
}

/** One content that the disk may have after the crash, not made yet. */
export interface CrashState {
  readonly point: CrashPoint;
  /** For each item of the point which of its sectors arrived: 0 to 255; for a length 0 or 255. */
  readonly masks: Uint8Array;
  /** The disk, as a device of its own. Costs little more than the blocks that differ from the durable image. */
  open(): MemoryDevice;
  /** The masks as a short text, which {@link CrashPoint.parse} reads. */
  toString(): string;
}

/**
 * A moment at which power may fail: the durable image, and the items that were open then, in the order in which they were
 * made. It does not change when the device that it was taken of goes on.
 *
 * @see docs/crash-model.md
 */
export class CrashPoint implements CrashPointFacts {
  readonly index: number;
  readonly label: string;
  readonly nrWrites: number;
  readonly nrFlushes: number;
  readonly items: readonly CrashItem[];
  readonly #durable: MemoryDevice;

  /** @param durable - Must not be written to any more. */
  constructor(durable: MemoryDevice, items: readonly CrashItem[], facts: CrashPointFacts) {
    this.index = facts.index;
    this.label = facts.label;
    this.nrWrites = facts.nrWrites;
    this.nrFlushes = facts.nrFlushes;
    this.items = items;
    this.#durable = durable;
  }

  /**
   * Crash states of this point, none twice: all where these are few, else the telling ones and then a sample. At most
   * `options.limit` of them.
   */
  *states(options: SamplingOptions = {}): Generator<CrashState> {
    for (const masks of crashMasks(this.items, options)) yield this.state(masks);
  }

  /**
   * The state in which exactly these sectors arrived.
   *
   * @param masks - One for each item.
   * @throws {RangeError} when there are more or fewer masks than items.
   */
  state(masks: Uint8Array): CrashState {
    if (masks.length !== this.items.length) {
      throw new RangeError(`Cannot make a crash state: ${masks.length} masks, ${this.items.length} are wanted`);
    }
    return { point: this, masks, open: () => this.#open(masks), toString: () => formatMasks(masks) };
  }

  /**
   * Reads what {@link CrashState.toString} wrote.
   *
   * @throws {RangeError} when the text is none, or has another number of items.
   */
  parse(text: string): CrashState {
    return this.state(parseMasks(text));
  }

  /**
   * Looks for a simpler state that still fails: first with fewer torn blocks, then with fewer lost items. What is left is needed
   * for the failure.
   *
   * @param fails - Whether the failure shows on this disk.
   * @param maxTries - The most disks that are tried.
   */
  shrink(state: CrashState, fails: (device: MemoryDevice) => boolean, maxTries = 1000): CrashState {
    let best = state.masks;
    let tries = 0;
    const attempt = (indexes: readonly number[], mask: number): boolean => {
      if (indexes.length === 0 || tries >= maxTries) return false;
      const masks = best.slice();
      for (const index of indexes) masks[index] = mask;
      tries += 1;
      if (!fails(this.#open(masks))) return false;
      best = masks;
      return true;
    };
    const indexesOf = (isWanted: (mask: number) => boolean) =>
      [...best.keys()].filter((index) => isWanted(best[index] as number));
    for (const index of indexesOf((mask) => mask !== 0 && mask !== WHOLE))
      attempt([index], WHOLE) || attempt([index], 0);
    for (let size = best.length; size >= 1; size = Math.floor(size / 2)) {
      const lost = indexesOf((mask) => mask === 0);
      for (let begin = 0; begin < lost.length; begin += size) attempt(lost.slice(begin, begin + size), WHOLE);
    }
    return this.state(best);
  }

  /** Says the point and its items, for the report of a failure. */
  toString(): string {
    const items = this.items.map((item) => (item.kind === 'block' ? `${item.block}` : `length ${item.nrBlocks}`));
    return `crash point ${this.index}, ${this.label}, open: ${items.join(' ') || 'nothing'}`;
  }

  #open(masks: Uint8Array): MemoryDevice {
    const device = this.#durable.fork();
    this.items.forEach((item, index) => {
      const mask = masks[index] as number;
      if (mask !== 0) applyItem(device, item, mask);
    });
    return device;
  }
}

/** Runs of equal masks: `ff*12,00,0f`. */
function formatMasks(masks: Uint8Array): string {
  const parts: string[] = [];
  for (let begin = 0, end = 0; begin < masks.length; begin = end) {
    while (end < masks.length && masks[end] === masks[begin]) end += 1;
    const hex = (masks[begin] as number).toString(16).padStart(2, '0');
    parts.push(end - begin === 1 ? hex : `${hex}*${end - begin}`);
  }
  return parts.join(',');
}

function parseMasks(text: string): Uint8Array {
  const masks =
    text === ''
      ? []
      : text.split(',').flatMap((part) => {
          const [, hex, count] = /^([0-9a-f]{2})(?:\*([1-9]\d{0,8}))?$/.exec(part) ?? [];
          if (hex === undefined)
            throw new RangeError(`Cannot read a crash state: "${part}", as in "ff*3" or "0f" is wanted`);
          return new Array<number>(Number(count ?? 1)).fill(Number.parseInt(hex, 16));
        });
  return Uint8Array.from(masks);
}
