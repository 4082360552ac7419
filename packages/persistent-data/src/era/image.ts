import { CorruptionError, type Slab, StateError, UnsupportedError } from '../base/index.ts';
import { BITSET_WORD } from '../bitset/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { walkTree } from '../btree/index.ts';
import { ERA_SUPERBLOCK_VALIDATOR, ERA_VERSION, ERA_WRITESET, SUPERBLOCK_LOCATION } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { ArrayReader } from './array-reader.ts';
import type { EraMetadata } from './metadata.ts';
import { type EraSuperblock, readEraSuperblock, refuseImpossible } from './superblock.ts';
import { WRITESET_VALUE, type Writeset } from './writeset.ts';

/** Blocks of cache, for nodes of trees. */
const CACHE_BLOCKS = 256;
const ERA_SIZE = 4;

/** A writeset with its era. */
export interface EraWriteset extends Writeset {
  readonly era: number;
  /** Whether it is the current one, which is not in the tree. */
  readonly isCurrent: boolean;
}

/** What of a metadata device to look at. */
export interface EraImageOptions {
  /** The metadata snapshot (`true`), or the copy of a superblock at a block: what a device in use lets others read. */
  readonly metadataSnapshot?: boolean | number;
}

/**
 * Era metadata on a device at rest, or its metadata snapshot, for tools that read much and write nothing.
 *
 * @throws {CorruptionError} from all methods when a block on the way cannot be believed.
 */
export class EraImage {
  readonly device: BlockDevice;
  /** The superblock that was asked for; of a metadata snapshot, its copy, whose current writeset means nothing. */
  readonly superblock: EraSuperblock;
  readonly #blockManager: BlockManager;
  readonly #isSnapshot: boolean;

  /** @throws {StateError} when there is no metadata snapshot. */
  constructor(source: BlockDevice | EraMetadata, { metadataSnapshot = false }: EraImageOptions = {}) {
    this.device = metadataDevice(source);
    const cacheBlocks = Math.max(32, Math.min(CACHE_BLOCKS, this.device.nrBlocks));
    this.#blockManager = new BlockManager(this.device, { cacheBlocks, readOnly: true });
    const live = this.#superblockAt(SUPERBLOCK_LOCATION, 'bad checksum in superblock');
    this.#isSnapshot = metadataSnapshot !== false;
    this.superblock = metadataSnapshot === false ? live : this.#snapshot(live, metadataSnapshot);
    const { version } = this.superblock;
    if (version > ERA_VERSION) {
      throw new UnsupportedError(
        `Cannot read era metadata: superblock version is ${version}, ${ERA_VERSION} is supported`,
      );
    }
    refuseImpossible(
      this.#isSnapshot ? { ...this.superblock, currentWriteset: { nrBits: 0, root: 0 } } : this.superblock,
      this.device.nrBlocks,
    );
  }

  /** Archived writesets, by era; and the current one, where there is one. @throws {CorruptionError} when that is archived as well. */
  writesets({ withCurrent }: { readonly withCurrent: boolean }): EraWriteset[] {
    const { currentEra, currentWriteset, writesetTreeRoot } = this.superblock;
    const found: EraWriteset[] = [];
    const blockManager = this.#blockManager;
    const reader = { blockManager, read: blockManager.read.bind(blockManager) };
    walkTree(reader, writesetTreeRoot, { valueSize: ERA_WRITESET.size }, ({ node }) => {
      if (!node.isLeaf) return;
      for (let i = 0; i < node.nrEntries; i++) {
        found.push({ era: node.keyAt(i), ...WRITESET_VALUE.read(node.slab, node.valueAt(i)), isCurrent: false });
      }
    });
    if (!withCurrent || this.#isSnapshot || currentWriteset.root === 0) return found;
    if (found.some(({ era }) => era === currentEra)) {
      const message = 'Duplicated era found in current_writeset and the writeset tree';
      throw new CorruptionError(message, { block: writesetTreeRoot, field: 'currentEra', found: currentEra });
    }
    return [...found, { era: currentEra, ...currentWriteset, isCurrent: true }].sort((a, b) => a.era - b.era);
  }

  /** The words of a writeset's bits: up to `nrBits`, and not beyond the blocks that there are now. */
  readBits({ era, root, nrBits }: EraWriteset): ArrayReader {
    const length = Math.ceil(Math.min(nrBits, this.superblock.nrBlocks) / 64);
    const name = `the writeset of era ${era}`;
    return new ArrayReader(this.device, this.#blockManager, { root, valueSize: BITSET_WORD.size, length, name });
  }

  /** The era array. */
  readEras(): ArrayReader {
    const { eraArrayRoot: root, nrBlocks: length } = this.superblock;
    return new ArrayReader(this.device, this.#blockManager, {
      root,
      valueSize: ERA_SIZE,
      length,
      name: 'the era array',
    });
  }

  #snapshot(live: EraSuperblock, which: true | number): EraSuperblock {
    const block = which === true ? live.metadataSnap : which;
    if (block === 0) throw new StateError('no current metadata snap');
    return this.#superblockAt(block, 'metadata snap: bad checksum in superblock');
  }

  /** @param text - What the tools say of a superblock that cannot be believed. */
  #superblockAt(block: number, text: string): EraSuperblock {
    let slab: Slab;
    let base: number;
    try {
      base = this.#blockManager.read(block, ERA_SUPERBLOCK_VALIDATOR);
      ({ slab } = this.#blockManager);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      throw new CorruptionError(text, { ...error, block, kind: 'era_superblock' }, { cause: error });
    }
    return readEraSuperblock(slab, base);
  }
}

/** The device to read: of open metadata it shows the last commit. */
export function metadataDevice(source: BlockDevice | EraMetadata): BlockDevice {
  return 'device' in source ? source.device : source;
}
