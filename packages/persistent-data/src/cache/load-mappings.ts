import { ArrayCursor, type PersistentArray } from '../array/index.ts';
import { CorruptionError, DeviceError } from '../base/index.ts';
import { BitsetCursor } from '../bitset/index.ts';
import type { CacheCore } from './cache-core.ts';
import { flagsAt, isDirtyEntry, isValidAt, originAt } from './mapping.ts';

/** Gets a mapping. @param hint - 0 where `hintValid` is false. */
export type MappingVisitor = (
  cacheBlock: number,
  originBlock: number,
  dirty: boolean,
  hint: number,
  hintValid: boolean,
) => void;

/** How to load. */
export interface LoadOptions {
  /** Whether dirty bits are what they say; else every block is dirty. */
  readonly believesDirty: boolean;
  readonly believesHints: boolean;
  /** Blocks of the origin; more is damage. Infinity where it is not known. */
  readonly originBlocks: number;
}

/**
 * Visits all mappings, with cursors side by side through mappings, dirty bits and hints. Should the hints fail on the way they are taken for
 * unknown from there on. Reads nothing when the cache has no blocks.
 *
 * @throws {CorruptionError} when mappings or dirty bits cannot be believed, or a mapping is beyond the origin.
 */
export function loadMappings(core: CacheCore, options: LoadOptions, visit: MappingVisitor): void {
  const { cacheBlocks } = core;
  if (cacheBlocks === 0) return;
  const mappings = new ArrayCursor(core.mappings, core.mappingRoot);
  if (!mappings.seek(0)) throw tooShort('mappings', 0, cacheBlocks);
  const bits = options.believesDirty && core.dirty !== undefined ? core.dirty.flush() : undefined;
  const dirty = bits === undefined ? undefined : new BitsetCursor(core.tm, bits, cacheBlocks);
  if (dirty !== undefined && !dirty.seek(0)) throw tooShort('dirty bits', 0, cacheBlocks);
  const hints = new HintCursor(options.believesHints ? core.hintRoot : 0, core.hints);
  const { words } = mappings.slab;
  for (let block = 0; block < cacheBlocks; block++) {
    if (block > 0) {
      if (!mappings.next()) throw tooShort('mappings', block, cacheBlocks);
      if (dirty !== undefined && !dirty.next()) throw tooShort('dirty bits', block, cacheBlocks);
    }
    const at = mappings.valueAt >>> 2;
    if (!isValidAt(words, at)) continue;
    const originBlock = originAt(words, at);
    const flags = flagsAt(words, at);
    if (originBlock >= options.originBlocks) throw beyondOrigin(block, originBlock, options.originBlocks);
    const isDirty = !options.believesDirty || (dirty === undefined ? isDirtyEntry(flags) : dirty.value);
    const hint = hints.at(block);
    visit(block, originBlock, isDirty, hint, hints.isValid);
  }
}

/** Hints in the order of blocks, until they cannot be read. */
class HintCursor {
  #cursor: ArrayCursor<number> | undefined;
  #begun = false;

  constructor(root: number, hints: PersistentArray<number>) {
    this.#cursor = root === 0 ? undefined : new ArrayCursor(hints, root);
  }

  get isValid(): boolean {
    return this.#cursor !== undefined;
  }

  /** The hint of a block behind that of the call before; 0 when there is none. */
  at(block: number): number {
    const cursor = this.#cursor;
    if (cursor === undefined) return 0;
    try {
      if (this.#begun ? cursor.skip(block - cursor.index) : cursor.seek(block)) {
        this.#begun = true;
        return cursor.slab.words[cursor.valueAt >>> 2]!;
      }
    } catch (error) {
      if (!(error instanceof CorruptionError || error instanceof DeviceError)) throw error;
    }
    this.#cursor = undefined;
    return 0;
  }
}

function tooShort(what: string, found: number, wanted: number): CorruptionError {
  return new CorruptionError(`Cannot load mappings: the array of ${what} ends at ${found}, ${wanted} are wanted`, {
    kind: 'array_block',
    found,
    expected: wanted,
  });
}

function beyondOrigin(cacheBlock: number, originBlock: number, originBlocks: number): CorruptionError {
  const message = `Cannot load mappings: cache block ${cacheBlock} is of origin block ${originBlock}, the origin has ${originBlocks}`;
  return new CorruptionError(message, {
    kind: 'array_block',
    field: `mapping ${cacheBlock}`,
    found: originBlock,
    expected: `below ${originBlocks}`,
  });
}
