import { RawArrayBuilder } from '../array/index.ts';
import { assert, NoSpaceError, type Slab, StateError } from '../base/index.ts';
import { BtreeBuilder } from '../btree/index.ts';
import { BulkTransaction } from '../disk-space-map/index.ts';
import { ERA_FLAG_CLEAN_SHUTDOWN, ERA_SUPERBLOCK_VALIDATOR, type SpaceMapRoot } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { mostBitsOn, mostElements, writeEraSuperblock } from './superblock.ts';
import type { EraVisitor, EraXmlSuperblock } from './visitor.ts';
import { WRITESET_VALUE, type Writeset } from './writeset.ts';
import { readEraXml } from './xml-reader.ts';

/** How to restore. */
export interface EraRestoreOptions {
  /** Blocks of cache; blocks are written when it is full. Default 1024 (4 MiB), at least 32. */
  readonly cacheBlocks?: number;
}

const UNFINISHED =
  'Era metadata is being restored here. If nobody is at it, the restore did not come to its end: do it again.\n';
const ERA_SIZE = 4;
const WORD_SIZE = 8;
const WORD_BITS = 64;

/**
 * Writes era metadata onto a device, as it is told of it: the other end of a dump. All writesets come out archived, the current one is empty. The
 * device is there, and durable, when `superblockEnd` returns. Before, from `superblockBegin` on, no tool takes what is on it for metadata.
 *
 * Memory: the cache, two bytes per metadata block, and a record per writeset. After an exception the restore cannot go on.
 */
export class EraRestore implements EraVisitor {
  readonly #bulk: BulkTransaction;
  readonly #writesets = new Map<number, Writeset>();
  #superblock: EraXmlSuperblock | undefined;
  #eraArrayRoot: number | undefined;
  #builder: RawArrayBuilder | undefined;
  #era = 0;
  #nrBits = 0;
  /** The last word of a piece whose end is not that of a word: bits behind the end are cleared in it. */
  readonly #lastWord = new Uint32Array(2);

  /** Writes nothing yet. @throws {RangeError} when the cache is too small. */
  constructor(device: BlockDevice, { cacheBlocks = 1024 }: EraRestoreOptions = {}) {
    this.#bulk = new BulkTransaction(device, ERA_SUPERBLOCK_VALIDATOR, cacheBlocks);
  }

  /**
   * Destroys what is on the device.
   * @throws {NoSpaceError} when the device has no room for the eras of so many blocks.
   */
  superblockBegin(superblock: EraXmlSuperblock): void {
    if (this.#superblock !== undefined) throw new StateError('duplicated superblock');
    this.#refuseMore(superblock.nrBlocks, mostElements(this.#bulk.nrBlocks), 'blocks');
    this.#superblock = superblock;
    this.#bulk.begin(UNFINISHED, (slab, base, root) => this.#fill(slab, base, root, { writesetTreeRoot: 0 }));
  }

  /** @throws {StateError} when the era has a writeset already, or another one is open. */
  writesetBegin(era: number, nrBits: number): void {
    this.#refuseUnless(this.#builder === undefined && !this.#writesets.has(era), `begin the writeset of era ${era}`);
    this.#refuseMore(nrBits, mostBitsOn(this.#bulk.nrBlocks), 'bits');
    this.#era = era;
    this.#nrBits = nrBits;
    this.#builder = new RawArrayBuilder(this.#bulk.tm, WORD_SIZE);
  }

  /** @throws {StateError} when the piece does not follow on the one before, or goes beyond the writeset. */
  bits(words: Uint32Array, at: number, begin: number, end: number): void {
    const builder = this.#open();
    const first = begin / WORD_BITS;
    const isInside = Number.isInteger(first) && first >= builder.length && end <= this.#nrBits;
    this.#refuseUnless(isInside, `restore the bits of blocks ${begin} to ${end}`);
    const nrWhole = Math.floor((end - begin) / WORD_BITS);
    builder.fillTo(first);
    builder.add(words, at, nrWhole);
    const nrLeft = end - begin - nrWhole * WORD_BITS;
    if (nrLeft === 0) return;
    const last = at + 2 * nrWhole;
    this.#lastWord[0] = words[last]! & (nrLeft >= 32 ? -1 : (1 << nrLeft) - 1);
    this.#lastWord[1] = nrLeft <= 32 ? 0 : words[last + 1]! & ((1 << (nrLeft - 32)) - 1);
    builder.add(this.#lastWord, 0, 1);
  }

  writesetEnd(): void {
    const builder = this.#open();
    builder.fillTo(Math.ceil(this.#nrBits / WORD_BITS));
    this.#writesets.set(this.#era, { nrBits: this.#nrBits, root: builder.finish() });
    this.#builder = undefined;
  }

  eraArrayBegin(): void {
    this.#refuseUnless(this.#builder === undefined && this.#eraArrayRoot === undefined, 'begin the era array');
    this.#builder = new RawArrayBuilder(this.#bulk.tm, ERA_SIZE);
  }

  /** @throws {StateError} when the piece does not follow on the one before, or goes beyond the last block. */
  eras(values: Uint32Array, at: number, begin: number, count: number): void {
    const builder = this.#open();
    const isInside = begin >= builder.length && begin + count <= (this.#superblock?.nrBlocks ?? 0);
    this.#refuseUnless(isInside, `restore the eras of blocks ${begin} to ${begin + count}`);
    builder.fillTo(begin);
    builder.add(values, at, count);
  }

  eraArrayEnd(): void {
    const builder = this.#open();
    builder.fillTo(this.#superblock?.nrBlocks ?? 0);
    this.#eraArrayRoot = builder.finish();
    this.#builder = undefined;
  }

  /** Writes all that is left, and the superblock last. Three flushes in all. */
  superblockEnd(): void {
    if (this.#superblock === undefined) throw new StateError('missing superblock');
    this.#refuseUnless(this.#builder === undefined, 'end the superblock');
    if (this.#eraArrayRoot === undefined) {
      this.eraArrayBegin();
      this.eraArrayEnd();
    }
    const tree = new BtreeBuilder(this.#bulk.tm, WRITESET_VALUE);
    const sorted = [...this.#writesets].sort(([a], [b]) => a - b);
    for (const [era, writeset] of sorted) tree.add(0, era, writeset);
    const writesetTreeRoot = tree.finish();
    this.#bulk.finish((slab, base, root) => this.#fill(slab, base, root, { writesetTreeRoot }));
  }

  #fill(
    slab: Slab,
    base: number,
    metadataSpaceMapRoot: SpaceMapRoot,
    trees: { readonly writesetTreeRoot: number },
  ): void {
    const superblock = this.#superblock;
    assert(superblock !== undefined, 'a superblock has begun');
    const { blockSize, nrBlocks, currentEra } = superblock;
    writeEraSuperblock(slab, base, {
      flags: ERA_FLAG_CLEAN_SHUTDOWN,
      metadataSpaceMapRoot,
      dataBlockSize: blockSize,
      nrBlocks,
      currentEra,
      currentWriteset: { nrBits: nrBlocks, root: 0 },
      writesetTreeRoot: trees.writesetTreeRoot,
      eraArrayRoot: this.#eraArrayRoot ?? 0,
      metadataSnap: 0,
    });
  }

  #open(): RawArrayBuilder {
    if (this.#builder === undefined)
      throw new StateError('Cannot restore: neither a writeset nor the era array is open');
    return this.#builder;
  }

  /** Before anything is made that is as large as is said. */
  #refuseMore(found: number, most: number, unit: string): void {
    if (found <= most) return;
    const room = `the device has ${this.#bulk.nrBlocks} metadata blocks, which have room for ${most} at most`;
    throw new NoSpaceError(`Cannot restore ${found} ${unit}: ${room}`, 'metadata');
  }

  #refuseUnless(condition: boolean, action: string): void {
    assert(this.#superblock !== undefined, 'a superblock comes before all else');
    if (!condition) throw new StateError(`Cannot ${action}: the parts of era metadata come in order, each once`);
  }
}

/** Restores era metadata from XML, as `era_restore` does. @see readEraXml, and {@link EraRestore}, for what it throws. */
export function restoreEraXml(device: BlockDevice, xml: string, options: EraRestoreOptions = {}): void {
  readEraXml([new TextEncoder().encode(xml)], new EraRestore(device, options));
}
