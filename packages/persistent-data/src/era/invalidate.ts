import type { BlockDevice } from '../io/index.ts';
import { foldEras } from './fold.ts';
import { EraImage } from './image.ts';
import type { EraMetadata } from './metadata.ts';

/** Where to look. */
export interface WrittenSinceOptions {
  /** The metadata snapshot in place of the device, which may be in use; or the copy of a superblock at this block. */
  readonly metadataSnapshot?: boolean | number;
  /** The current writeset as well, which a crash left. Default false, as the tools have it. A metadata snapshot has none. */
  readonly withCurrent?: boolean;
  /** Called now and then with the array blocks read so far, of all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Gets a run of blocks, half-open. Runs come in order and do not touch. */
export type RangeVisitor = (begin: number, end: number) => void;

/**
 * Lists the blocks that were written in an era or since. From the archived writesets and the era array: the current writeset is left out unless it is
 * asked for. Memory does not depend on the number of blocks.
 *
 * @throws {CorruptionError} at the first block that is not believable.
 * @throws {StateError} when there is no metadata snapshot.
 */
export function writtenSince(
  source: BlockDevice | EraMetadata,
  era: number,
  visit: RangeVisitor,
  options: WrittenSinceOptions = {},
): void {
  const { metadataSnapshot = false, withCurrent = false, onProgress } = options;
  const image = new EraImage(source, { metadataSnapshot });
  const writesets = image.writesets({ withCurrent });
  const [oldest] = writesets;
  const runs = new Runs(visit);
  const total = Math.ceil(image.superblock.nrBlocks / 1018);
  let done = 0;
  const recent = writesets.filter((writeset) => writeset.era >= era);
  const addPiece = (eras: Uint32Array, begin: number, count: number): void => {
    for (let i = 0; i < count; i++) if (eras[i]! >= era) runs.add(begin + i);
  };
  foldEras(image, recent, addPiece, {
    // Writesets are digested in order: with one of that era or before still there, all that the array says is older.
    withoutArray: oldest !== undefined && oldest.era <= era && era > 0,
    tell: () => onProgress?.(++done, total),
  });
  runs.end();
}

class Runs {
  readonly #visit: RangeVisitor;
  #begin = -1;
  #end = -1;

  constructor(visit: RangeVisitor) {
    this.#visit = visit;
  }

  add(block: number): void {
    if (block === this.#end) {
      this.#end++;
      return;
    }
    this.end();
    this.#begin = block;
    this.#end = block + 1;
  }

  end(): void {
    if (this.#end > this.#begin) this.#visit(this.#begin, this.#end);
  }
}
