import { StateError, UnsupportedError } from '../base/index.ts';
import { BITSET_WORD } from '../bitset/index.ts';
import { readU64 } from '../btree/index.ts';
import { TreeChecker } from '../disk-space-map/index.ts';
import {
  ARRAY_HEADER,
  ARRAY_VALIDATOR,
  ArrayBlockView,
  arrayEntriesFor,
  ERA_SUPERBLOCK_VALIDATOR,
  ERA_VERSION,
  ERA_WRITESET,
  SUPERBLOCK_LOCATION,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { type EraSuperblock, mostBitsOn, readEraSuperblock, refuseImpossible } from './superblock.ts';
import type { EraVisitor } from './visitor.ts';
import { WRITESET_VALUE, type Writeset } from './writeset.ts';

/**
 * Something that could not be read, and what is taken in its place: always that blocks were written as late as they may have been, so that nobody
 * who asks what changed misses a block. Ranges are half-open.
 *
 * - `bits`: blocks of the writeset of `era`; they count as written in it.
 * - `eras`: blocks of the era array; they count as written in `era`, the last that can have been digested.
 * - `writesets`: eras whose writesets may have been there; all blocks count as written in `era`, the last of them.
 */
export interface EraLoss {
  readonly kind: 'bits' | 'eras' | 'writesets';
  readonly era: number;
  readonly begin: number;
  readonly end: number;
}

/** Kinds of trees, for the checker. */
const WRITESET_TREE = 0;
const ARRAY_TREE = 1;
const ERA_SIZE = 4;
const WORD_BITS = 64;
/** In place of the root of a writeset that was not found: all of its bits are set. */
const MADE_UP = -1;

const NOBODY: EraVisitor = {
  superblockBegin: () => undefined,
  superblockEnd: () => undefined,
  writesetBegin: () => undefined,
  bits: () => undefined,
  writesetEnd: () => undefined,
  eraArrayBegin: () => undefined,
  eras: () => undefined,
  eraArrayEnd: () => undefined,
};

/**
 * Gives what is left of an era device's metadata to a visitor: the reading half of a repair. Reads each block once. Without a visitor it only finds out
 * what is lost.
 *
 * @returns What could not be read, in the order in which it was met.
 * @throws {StateError | CorruptionError} when the superblock cannot be believed, as nothing else says how many blocks and eras there are.
 * @throws {UnsupportedError} when its version is none that is known.
 */
export function salvageEra(device: BlockDevice, visitor: EraVisitor = NOBODY): EraLoss[] {
  return new Salvage(device, visitor).run();
}

class Salvage {
  readonly #visitor: EraVisitor;
  readonly #checker: TreeChecker;
  readonly #superblock: EraSuperblock;
  readonly #losses: EraLoss[] = [];

  constructor(device: BlockDevice, visitor: EraVisitor) {
    this.#visitor = visitor;
    this.#checker = new TreeChecker(device);
    const { scanner } = this.#checker;
    if (device.nrBlocks === 0) throw new StateError('bad checksum in superblock');
    scanner.loadOne(SUPERBLOCK_LOCATION);
    const problem = scanner.problem(0, SUPERBLOCK_LOCATION, ERA_SUPERBLOCK_VALIDATOR);
    if (problem !== undefined) throw new StateError('bad checksum in superblock', { cause: problem });
    this.#superblock = readEraSuperblock(scanner.slab, 0);
    const { version } = this.#superblock;
    if (version > ERA_VERSION) {
      throw new UnsupportedError(
        `Cannot repair era metadata: superblock version is ${version}, ${ERA_VERSION} is supported`,
      );
    }
    // Roots may be wrong: that is a loss like others. Sizes may not.
    const none = { writesetTreeRoot: 0, eraArrayRoot: 0, metadataSnap: 0, currentWriteset: { nrBits: 0, root: 0 } };
    refuseImpossible({ ...this.#superblock, ...none }, device.nrBlocks);
  }

  run(): EraLoss[] {
    const { dataBlockSize, nrBlocks, currentEra } = this.#superblock;
    const visitor = this.#visitor;
    visitor.superblockBegin({ uuid: '', blockSize: dataBlockSize, nrBlocks, currentEra });
    const writesets = this.#writesets();
    for (const [era, writeset] of [...writesets].sort(([a], [b]) => a - b)) this.#dumpBits(era, writeset);
    const [oldest = currentEra + 1] = [...writesets.keys()].sort((a, b) => a - b);
    this.#dumpEras(Math.max(0, oldest - 1));
    visitor.superblockEnd();
    return this.#losses;
  }

  /** Writesets by era, with those that are made up. */
  #writesets(): Map<number, Writeset> {
    const { writesetTreeRoot, currentWriteset, currentEra, nrBlocks } = this.#superblock;
    const hasCurrent = currentWriteset.root !== 0;
    const found = new Map<number, Writeset>();
    const lastArchived = hasCurrent ? currentEra - 1 : currentEra;
    const lost: [begin: number, end: number][] = [];
    const run = this.#checker.check(writesetTreeRoot, {
      kind: WRITESET_TREE,
      valueSize: ERA_WRITESET.size,
      visitLeaf: (node) => {
        for (let i = 0; i < node.nrEntries; i++) {
          const era = node.keyAt(i);
          if (era > lastArchived) lost.push([lastArchived, lastArchived + 1]);
          else found.set(era, WRITESET_VALUE.read(node.slab, node.valueAt(i)));
        }
      },
    });
    for (const { severity, keys } of run) {
      if (severity !== 'fatal' || keys === undefined) continue;
      lost.push([Math.min(Number(keys.begin), lastArchived), Math.min(Number(keys.end), lastArchived + 1)]);
    }
    if (hasCurrent) found.set(currentEra, currentWriteset);
    for (const [begin, end] of lost) {
      const era = Math.max(0, end - 1);
      found.set(era, { nrBits: nrBlocks, root: MADE_UP });
      this.#lose({ kind: 'writesets', era, begin, end: era + 1 });
    }
    return found;
  }

  #dumpBits(era: number, { nrBits, root }: Writeset): void {
    const { nrBlocks } = this.#superblock;
    const visitor = this.#visitor;
    const length = nrBits <= mostBitsOn(this.#checker.nrBlocks) ? nrBits : nrBlocks;
    visitor.writesetBegin(era, length);
    const perBlock = arrayEntriesFor(BITSET_WORD.size);
    const bitsPerBlock = WORD_BITS * perBlock;
    const all = new Uint32Array(2 * perBlock).fill(0xffff_ffff);
    const give = (words: Uint32Array, at: number, index: number): void => {
      const begin = index * bitsPerBlock;
      visitor.bits(words, at, begin, Math.min(length, begin + bitsPerBlock));
    };
    this.#forEachBlock({ root, valueSize: BITSET_WORD.size, length: Math.ceil(length / WORD_BITS) }, give, (index) => {
      give(all, 0, index);
      const begin = index * bitsPerBlock;
      if (root !== MADE_UP) this.#lose({ kind: 'bits', era, begin, end: Math.min(length, begin + bitsPerBlock) });
    });
    visitor.writesetEnd();
  }

  /** @param latest - What stands for an era that cannot be read. */
  #dumpEras(latest: number): void {
    const { eraArrayRoot: root, nrBlocks: length, currentEra } = this.#superblock;
    const visitor = this.#visitor;
    const perBlock = arrayEntriesFor(ERA_SIZE);
    const unknown = new Uint32Array(perBlock).fill(latest);
    const lose = (begin: number, end: number): void => this.#lose({ kind: 'eras', era: latest, begin, end });
    const give = (words: Uint32Array, at: number, index: number): void => {
      const begin = index * perBlock;
      const count = Math.min(perBlock, length - begin);
      for (let i = 0; i < count; i++) {
        if (words[at + i]! <= currentEra) continue;
        words[at + i] = latest;
        lose(begin + i, begin + i + 1);
      }
      visitor.eras(words, at, begin, count);
    };
    visitor.eraArrayBegin();
    this.#forEachBlock({ root, valueSize: ERA_SIZE, length }, give, (index) => {
      give(unknown, 0, index);
      lose(index * perBlock, Math.min(length, (index + 1) * perBlock));
    });
    visitor.eraArrayEnd();
  }

  /** Calls `give` for each block of an array that can be believed, in order, and `miss` for the others. */
  #forEachBlock(
    array: { readonly root: number; readonly valueSize: number; readonly length: number },
    give: (words: Uint32Array, at: number, index: number) => void,
    miss: (index: number) => void,
  ): void {
    const checker = this.#checker;
    const perBlock = arrayEntriesFor(array.valueSize);
    const nrBlocks = Math.ceil(array.length / perBlock);
    const blocks = array.root === MADE_UP ? new Map<number, number>() : this.#listBlocks(array.root, nrBlocks);
    const view = new ArrayBlockView(checker.scanner.slab);
    for (let index = 0; index < nrBlocks; index++) {
      const block = blocks.get(index);
      if (block === undefined || !checker.isInside(block)) {
        miss(index);
        continue;
      }
      checker.scanner.loadOne(block);
      view.base = checker.scanner.base(0);
      const isSound =
        checker.scanner.problem(0, block, ARRAY_VALIDATOR) === undefined &&
        view.valueSize === array.valueSize &&
        view.maxEntries === perBlock &&
        view.nrEntries >= Math.min(perBlock, array.length - index * perBlock);
      if (isSound) give(view.words, view.base + ARRAY_HEADER.size / 4, index);
      else miss(index);
    }
  }

  /** Array blocks by index, as far as the tree can be read. */
  #listBlocks(root: number, nrBlocks: number): Map<number, number> {
    const blocks = new Map<number, number>();
    const run = this.#checker.check(root, {
      kind: ARRAY_TREE,
      valueSize: 8,
      visitLeaf: (node) => {
        for (let i = 0; i < node.nrEntries; i++) {
          const index = node.keyAt(i);
          if (index < nrBlocks && !blocks.has(index)) blocks.set(index, readU64(node.slab, node.valueAt(i)));
        }
      },
    });
    // What is found is what is missing in the list.
    for (const _ of run);
    return blocks;
  }

  /** Notes a loss, together with the one before where it goes on. */
  #lose(loss: EraLoss): void {
    const last = this.#losses.at(-1);
    const isNext = last?.kind === loss.kind && last.era === loss.era && last.end === loss.begin;
    if (last !== undefined && isNext) this.#losses[this.#losses.length - 1] = { ...last, end: loss.end };
    else this.#losses.push(loss);
  }
}
