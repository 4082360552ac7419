import type { ThinMetadata, ThinView } from '../thin/index.ts';
import type { ByteRange, DataDevice } from './data-device.ts';
import type { ZeroMap } from './zero-map.ts';

/** The most runs for one commit: each takes about a millisecond of another process. What is left out is used again later, as any free block. */
const MAX_RANGES = 4096;

function largest(ranges: readonly ByteRange[], count: number): readonly ByteRange[] {
  return ranges.length <= count ? ranges : [...ranges].sort((a, b) => b.length - a.length).slice(0, count);
}

/** What reclaiming has to know of its pool. */
export interface ReclaimOptions {
  readonly metadata: ThinMetadata;
  readonly data: DataDevice;
  readonly blockBytes: number;
  readonly zeros: ZeroMap;
  /** Called when blocks that were held back can be had again. */
  readonly onReleased: () => void;
}

/**
 * Gives the room of data blocks back to the host when a commit that gave them up is durable: not before, as the disk would lose what the last commit
 * still refers to. Until the holes are punched, the version of the space map before the commit is held, so that nobody gets these blocks.
 */
export class Reclaim {
  readonly #options: ReclaimOptions;
  #before: ThinView | undefined;
  #nrUnderWay = 0;
  #queue: Promise<void> = Promise.resolve();

  constructor(options: ReclaimOptions) {
    this.#options = options;
  }

  /** Whether blocks are held back that will be free soon. */
  get isUnderWay(): boolean {
    return this.#nrUnderWay > 0;
  }

  /** Notes what is in use before a commit. */
  beforeCommit(): void {
    this.drop();
    if (this.#options.data.canPunchHoles) this.#before = this.#options.metadata.view();
  }

  /** Forgets the last {@link beforeCommit}: the commit was not done. */
  drop(): void {
    this.#before?.close();
    this.#before = undefined;
  }

  /** Punches what the commit gave up. */
  afterCommit(): void {
    const before = this.#before;
    this.#before = undefined;
    if (before === undefined) return;
    const { blockBytes } = this.#options;
    const ranges: ByteRange[] = [];
    before.forEachFreedData((begin, end) => {
      ranges.push({ offset: begin * blockBytes, length: (end - begin) * blockBytes });
    });
    if (ranges.length === 0) {
      before.close();
      return;
    }
    this.#punch(largest(ranges, MAX_RANGES), before);
  }

  /** Waits until all is done. Never rejects. */
  async settled(): Promise<void> {
    while (this.isUnderWay) await this.#queue;
  }

  #punch(ranges: readonly ByteRange[], before: ThinView): void {
    // What can be done at once is, so that nothing is held back from the next request.
    const isBusy = this.isUnderWay;
    this.#nrUnderWay++;
    const result = isBusy ? this.#queue.then(() => this.#start(ranges)) : this.#start(ranges);
    if (typeof result === 'boolean') {
      this.#finish(ranges, before, result);
      return;
    }
    this.#queue = result
      // Room that was not given back is no harm to the data.
      .catch(() => false)
      .then((isZeroed) => {
        this.#finish(ranges, before, isZeroed);
        this.#options.onReleased();
      });
  }

  #start(ranges: readonly ByteRange[]): boolean | Promise<boolean> {
    try {
      return this.#options.data.punchHoles(ranges);
    } catch {
      return false;
    }
  }

  #finish(ranges: readonly ByteRange[], before: ThinView, isZeroed: boolean): void {
    const { blockBytes, zeros } = this.#options;
    this.#nrUnderWay--;
    before.close();
    if (!isZeroed) return;
    for (const { offset, length } of ranges) zeros.add(offset / blockBytes, (offset + length) / blockBytes);
  }
}
