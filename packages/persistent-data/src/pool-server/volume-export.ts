import {
  ALLOCATION,
  type Answer,
  CONTEXTS,
  type ExtentSink,
  type NbdBlockSize,
  NbdError,
  type NbdExport,
  SHARING,
  type WriteZeroesOptions,
} from '../nbd/index.ts';
import type { ByteRange, ExtentKind } from '../thin-pool/index.ts';
import type { OpenSource, VolumeSource } from './volume-source.ts';

/** Extents that are looked up for one answer: a client asks again for what comes after. */
const MAX_EXTENTS = 4096;
const DIRTY = 1;

const FLAGS: Readonly<Record<string, Readonly<Record<ExtentKind, number>>>> = {
  [CONTEXTS.allocation]: { unmapped: ALLOCATION.hole | ALLOCATION.zero, exclusive: 0, shared: 0 },
  [CONTEXTS.allocationDepth]: { unmapped: 0, exclusive: 1, shared: 2 },
  [CONTEXTS.sharing]: { unmapped: 0, exclusive: 0, shared: SHARING.shared },
};

/**
 * A thin volume as an export. Requests to blocks that are there are answered at once, without a promise.
 *
 * The volume is opened by the first request and closed by {@link release}, so that a pool may have thousands of exports. A range that is shared with a
 * snapshot is told as allocated, although a write to it takes room: `x-persistent-data:sharing` says where that is so.
 */
export class VolumeExport implements NbdExport {
  readonly canFastZero = true;
  readonly #source: VolumeSource;
  #open: OpenSource | undefined;

  constructor(source: VolumeSource) {
    this.#source = source;
  }

  get size(): number {
    return this.#source.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#source.readOnly;
  }

  get description(): string {
    return this.#source.description;
  }

  get blockSize(): NbdBlockSize {
    return { min: 1, preferred: Math.min(this.#source.blockBytes, 2 ** 25), max: 2 ** 25 };
  }

  get contexts(): string[] {
    return [...Object.keys(FLAGS), ...this.#source.snapshots().map((name) => `${CONTEXTS.dirtyBitmap}${name}`)];
  }

  /** Whether the volume is open. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  read(offset: number, into: Uint8Array): Answer {
    return (this.#open ?? this.#volume()).read(offset, into);
  }

  write(offset: number, data: Uint8Array): Answer {
    return (this.#open ?? this.#volume()).write(offset, data);
  }

  /** Opens the volume where it is closed: another export of the pool may have made changes that this one has to answer for. */
  flush(): Answer {
    return this.#volume().flush();
  }

  trim(offset: number, length: number): Answer {
    return this.#volume().discard(offset, length);
  }

  writeZeroes(offset: number, length: number, { noHole, fast }: WriteZeroesOptions): Answer {
    if (fast && noHole) throw new NbdError('ENOTSUP', 'zeros that keep their room have to be written');
    return this.#volume().writeZeroes(offset, length, { mayUnmap: !noHole });
  }

  blockStatus(context: string, offset: number, length: number, add: ExtentSink): void {
    const flags = FLAGS[context];
    if (flags === undefined) {
      const range = { offset, length, limit: MAX_EXTENTS };
      const ranges = this.#source.difference(this.#volume(), context.slice(CONTEXTS.dirtyBitmap.length), range);
      addDirty(ranges, range, add);
      return;
    }
    const extents = this.#volume().extents(offset, length, { limit: MAX_EXTENTS });
    for (const extent of extents) if (!add(extent.length, flags[extent.kind])) return;
  }

  /** Closes the volume when nobody uses the export any more. The next request opens it again. */
  release(): void {
    this.#open?.close();
    this.#open = undefined;
  }

  #volume(): OpenSource {
    this.#open ??= this.#source.open();
    return this.#open;
  }
}

/** Tells a range as runs that are dirty or not, as far as the ranges were looked for. */
function addDirty(
  ranges: readonly ByteRange[],
  { offset, length, limit }: ByteRange & { readonly limit: number },
  add: ExtentSink,
): void {
  let at = offset;
  for (const range of ranges) {
    if (range.offset > at && !add(range.offset - at, 0)) return;
    if (!add(range.length, DIRTY)) return;
    at = range.offset + range.length;
  }
  if (at < offset + length && ranges.length < limit) add(offset + length - at, 0);
}
