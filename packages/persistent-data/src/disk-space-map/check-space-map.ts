import type { Finding } from '../base/index.ts';
import { PLAIN_U32, readU64 } from '../btree/index.ts';
import {
  BITMAP_HEADER,
  BITMAP_VALIDATOR,
  bitmapCount,
  COUNT_OVERFLOW,
  ENTRIES_PER_BITMAP,
  INDEX_ENTRY,
  METADATA_INDEX,
  METADATA_INDEX_VALIDATOR,
  type SpaceMapRoot,
  setBitmapCount,
} from '../format/index.ts';
import { BlockScanner } from './block-scanner.ts';
import { RecordedCounts } from './recorded-counts.ts';
import type { ReferenceCounter } from './reference-counter.ts';
import { badBlock, type CheckedTree, type TreeChecker, visitBlocks } from './tree-checker.ts';

/** Whose blocks a space map counts. */
export type CheckedSpace = 'data' | 'metadata';

/** A count on the disk that is not what the references come to. */
export interface CountFinding extends Finding {
  /** Block of the space (of the data device, or of the metadata device). */
  readonly counted: number;
  readonly expected: number;
  readonly recorded: number;
}

/** A space map whose own blocks were read and counted, but for its bitmaps' content. */
export interface CountedSpaceMap {
  readonly space: CheckedSpace;
  readonly root: SpaceMapRoot;
  /** Block of each bitmap; -1 where there is none. */
  readonly bitmaps: number[];
  readonly recorded: RecordedCounts;
  /** Whether all of it could be read. */
  readonly isWhole: boolean;
}

/** Kinds of trees, for {@link CheckedTree.kind}; targets use 0 to 4 for their own. */
const INDEX_TREE = 5;
const DATA_COUNT_TREE = 6;
const METADATA_COUNT_TREE = 7;
const MAX_DATA_BLOCKS = 2 ** 40;
const BITMAP_WORDS = BITMAP_HEADER.size / 4;
const ENTRIES_PER_WORD = 16;
const ALL_COUNT_1 = 0xaaaa_aaaa;
const FOUR_OF_1 = 0x0101_0101;

/**
 * Reads a data space map but for its bitmaps, and counts the metadata blocks that it consists of. Findings are about what cannot be read.
 */
export function* countDataSpaceMap(checker: TreeChecker, root: SpaceMapRoot): Generator<Finding, CountedSpaceMap> {
  const bitmaps: number[] = [];
  const nrBitmaps = Math.ceil(root.nrBlocks / ENTRIES_PER_BITMAP);
  const indexTree: CheckedTree = {
    kind: INDEX_TREE,
    valueSize: INDEX_ENTRY.size,
    visitLeaf: (node, _block, report) => {
      for (let i = 0; i < node.nrEntries; i++) {
        const index = node.keyAt(i);
        if (index === bitmaps.length && index < nrBitmaps) bitmaps.push(readU64(node.slab, node.valueAt(i)));
        else
          report(
            indexProblem(`found the entry of bitmap ${index}, that of ${bitmaps.length} of ${nrBitmaps} is wanted`),
          );
      }
    },
  };
  const outcome = yield* checker.check(root.bitmapRoot, indexTree);
  let isWhole = outcome.nrErrors === 0;
  if (bitmaps.length < nrBitmaps || root.nrBlocks > MAX_DATA_BLOCKS) {
    isWhole = false;
    yield {
      severity: 'fatal',
      ...indexProblem(`${bitmaps.length} of ${nrBitmaps} bitmaps of ${root.nrBlocks} data blocks have an entry`),
    };
  }
  return yield* finish(checker, { space: 'data', root, bitmaps, recorded: new RecordedCounts(), isWhole });
}

/** As {@link countDataSpaceMap} for the map of the metadata device itself. */
export function* countMetadataSpaceMap(checker: TreeChecker, root: SpaceMapRoot): Generator<Finding, CountedSpaceMap> {
  const bitmaps: number[] = [];
  const { bitmapRoot, nrBlocks } = root;
  let isWhole = true;
  const findings: Finding[] = [];
  if (nrBlocks > checker.nrBlocks) {
    const message = `Cannot use metadata space map: it has ${nrBlocks} blocks, the device has ${checker.nrBlocks}`;
    findings.push({ severity: 'fatal', code: 'space-map.size', message });
  }
  const problem = checker.countBlock(bitmapRoot, 'metadata_index');
  if (problem !== undefined) {
    findings.push(problem);
  } else {
    const { scanner } = checker;
    checker.load([bitmapRoot], 1);
    const error = scanner.problem(0, bitmapRoot, METADATA_INDEX_VALIDATOR);
    if (error !== undefined) findings.push(badBlock(error, bitmapRoot));
    const entries = scanner.base(0) * 4 + METADATA_INDEX.offset('index');
    const nrBitmaps = Math.ceil(Math.min(nrBlocks, checker.nrBlocks) / ENTRIES_PER_BITMAP);
    for (let i = 0; i < nrBitmaps && error === undefined; i++) {
      bitmaps.push(readU64(scanner.slab, entries + i * INDEX_ENTRY.size));
    }
  }
  isWhole = findings.length === 0;
  yield* findings;
  return yield* finish(checker, { space: 'metadata', root, bitmaps, recorded: new RecordedCounts(), isWhole });
}

/** Counts the bitmaps and reads the reference-count tree. */
function* finish(checker: TreeChecker, map: CountedSpaceMap): Generator<Finding, CountedSpaceMap> {
  const { space, root, bitmaps, recorded } = map;
  let { isWhole } = map;
  for (const [index, block] of bitmaps.entries()) {
    const problem = checker.countBlock(block, 'bitmap');
    if (problem === undefined) continue;
    isWhole = false;
    bitmaps[index] = -1;
    yield problem;
  }
  const countTree: CheckedTree = {
    kind: space === 'data' ? DATA_COUNT_TREE : METADATA_COUNT_TREE,
    valueSize: PLAIN_U32.size,
    visitLeaf: (node, block, report) => {
      for (let i = 0; i < node.nrEntries; i++) {
        const counted = node.keyAt(i);
        const count = node.slab.words[node.valueAt(i) >>> 2]!;
        if (counted < root.nrBlocks && count >= COUNT_OVERFLOW) recorded.set(counted, count);
        else {
          const found = `the count of ${space} block ${counted} is ${count}`;
          const wanted = `3 or more of one of ${root.nrBlocks} blocks is wanted`;
          report({ code: 'space-map.ref-count', message: `Cannot use btree_node block ${block}: ${found}, ${wanted}` });
        }
      }
    },
  };
  const outcome = yield* checker.check(root.refCountRoot, countTree);
  return { ...map, isWhole: isWhole && outcome.nrErrors === 0 };
}

function indexProblem(found: string): { code: string; message: string } {
  return { code: 'space-map.index', message: `Cannot use the index of the data space map: ${found}` };
}

/** How to compare. */
export interface CompareOptions {
  /** Counts of references may be too low, as something could not be read: then only records that are lower still are wrong. */
  readonly isLowerBound?: boolean;
}

/**
 * Compares what a space map records with the references that were found. All have to be counted by now, for a metadata map those of both maps.
 * Findings: a leak for each block with record 1 and no reference; each other difference is fatal.
 */
export function* compareCounts(
  checker: TreeChecker,
  map: CountedSpaceMap,
  counts: ReferenceCounter,
  options: CompareOptions = {},
): Generator<Finding, void> {
  const { space, root, bitmaps, recorded } = map;
  const comparison = new Comparison(map, counts, options);
  const present = bitmaps.flatMap((block, index) => (block < 0 ? [] : [{ block, index }]));
  const blocks = present.map(({ block }) => block);
  yield* visitBlocks(checker, blocks, BITMAP_VALIDATOR, (base, k) => {
    return comparison.bitmap(checker.scanner.slab.words, base, present[k]!.index);
  });
  if (!map.isWhole || comparison.nrBitmaps < bitmaps.length) return;
  if (comparison.nrLarge < recorded.size) {
    const nrExtra = recorded.size - comparison.nrLarge;
    const message = `Cannot use the reference counts of the ${space} space map: ${nrExtra} are for blocks whose bitmap has another count`;
    yield { severity: 'fatal', code: 'space-map.ref-count', message };
  }
  if (comparison.nrAllocated !== root.nrAllocated) {
    const message = `The ${space} space map says that ${root.nrAllocated} blocks are allocated, ${comparison.nrAllocated} have a count`;
    yield { severity: 'warning', code: 'space-map.nr-allocated', message };
  }
}

/** Goes through the bitmaps of one space map. */
class Comparison {
  /** Bitmaps that could be read. */
  nrBitmaps = 0;
  /** Blocks with a count other than 0. */
  nrAllocated = 0;
  /** Blocks whose bitmap refers to an entry of the reference-count tree that is there. */
  nrLarge = 0;
  readonly #map: CountedSpaceMap;
  readonly #counts: ReferenceCounter;
  readonly #isLowerBound: boolean;
  readonly #expected = new Uint8Array(ENTRIES_PER_BITMAP);
  readonly #expectedWords = new Uint32Array(this.#expected.buffer);

  constructor(map: CountedSpaceMap, counts: ReferenceCounter, { isLowerBound = false }: CompareOptions) {
    this.#map = map;
    this.#counts = counts;
    this.#isLowerBound = isLowerBound || !map.isWhole;
  }

  /** Compares the bitmap at `base`, sixteen entries at a time where they are all alike. */
  bitmap(words: Uint32Array, base: number, index: number): Finding[] {
    const first = index * ENTRIES_PER_BITMAP;
    const nrEntries = Math.min(ENTRIES_PER_BITMAP, this.#map.root.nrBlocks - first);
    const findings: Finding[] = [];
    const expected = this.#expectedWords;
    this.nrBitmaps++;
    this.#counts.copyBytes(first, this.#expected.subarray(0, nrEntries));
    this.#expected.fill(0, nrEntries);
    for (let begin = 0; begin < ENTRIES_PER_BITMAP; begin += ENTRIES_PER_WORD) {
      const word = words[base + BITMAP_WORDS + begin / ENTRIES_PER_WORD]!;
      const four = expected[begin >>> 2]!;
      const same =
        four === expected[(begin >>> 2) + 1]! &&
        four === expected[(begin >>> 2) + 2]! &&
        four === expected[(begin >>> 2) + 3]!;
      if (same && word === 0 && four === 0) continue;
      if (same && word === ALL_COUNT_1 && four === FOUR_OF_1) this.nrAllocated += ENTRIES_PER_WORD;
      else this.#entries(words, base, first, begin, nrEntries, findings);
    }
    return findings;
  }

  #entries(
    words: Uint32Array,
    base: number,
    first: number,
    begin: number,
    nrEntries: number,
    findings: Finding[],
  ): void {
    for (let bit = begin; bit < begin + ENTRIES_PER_WORD; bit++) {
      const field = bitmapCount(words, base, bit);
      if (bit >= nrEntries) {
        if (field !== 0) findings.push(beyondEnd(this.#map, first + bit));
        continue;
      }
      if (field !== 0) this.nrAllocated++;
      const expected = this.#expected[bit]!;
      if (field === expected && field !== COUNT_OVERFLOW) continue;
      const recorded = field === COUNT_OVERFLOW ? this.#map.recorded.get(first + bit) : field;
      if (recorded >= COUNT_OVERFLOW) this.nrLarge++;
      const finding = this.#difference(first + bit, recorded, field);
      if (finding !== undefined) findings.push(finding);
    }
  }

  #difference(counted: number, recorded: number, field: number): CountFinding | undefined {
    const { space } = this.#map;
    const expected = this.#counts.count(counted);
    const place = { counted, expected, recorded, ...(space === 'metadata' ? { block: counted } : {}) };
    if (field === COUNT_OVERFLOW && recorded === 0) {
      // Its entry may be in a node that could not be read, which was said.
      if (!this.#map.isWhole) return undefined;
      const message = `Bad reference count for ${space} block ${counted}.  Expected ${expected}, but the reference-count tree has no entry.`;
      return { severity: 'fatal', code: 'space-map.ref-count', message, ...place };
    }
    if (recorded === expected || (this.#isLowerBound && recorded > expected)) return undefined;
    const isLeak = expected === 0 && recorded === 1;
    return {
      severity: isLeak ? 'leak' : 'fatal',
      code: isLeak ? 'space-map.leak' : 'space-map.count',
      message: `Bad reference count for ${space} block ${counted}.  Expected ${expected}, but space map contains ${recorded}.`,
      ...place,
    };
  }
}

function beyondEnd({ space, root }: CountedSpaceMap, counted: number): Finding {
  const message = `The ${space} space map has a count for block ${counted}, beyond its end at ${root.nrBlocks}`;
  return { severity: 'warning', code: 'space-map.beyond-end', message };
}

/**
 * Repairs leaks in place: records of 1 without a reference become 0. Neither the index nor the root changes. Flushes nothing.
 * @returns Blocks given back.
 */
export function repairLeaks(checker: TreeChecker, map: CountedSpaceMap, counts: ReferenceCounter): number {
  const { device } = checker.scanner;
  const scanner = new BlockScanner(device, 1);
  const { words, bytes } = scanner.slab;
  let nrRepaired = 0;
  for (const [index, block] of map.bitmaps.entries()) {
    scanner.loadOne(block);
    const error = scanner.problem(0, block, BITMAP_VALIDATOR);
    if (error !== undefined) throw error;
    const first = index * ENTRIES_PER_BITMAP;
    const nrEntries = Math.min(ENTRIES_PER_BITMAP, map.root.nrBlocks - first);
    const before = nrRepaired;
    for (let bit = 0; bit < nrEntries; bit++) {
      if (bitmapCount(words, 0, bit) !== 1 || counts.count(first + bit) !== 0) continue;
      setBitmapCount(words, 0, bit, 0);
      nrRepaired++;
    }
    if (nrRepaired === before) continue;
    BITMAP_VALIDATOR.seal(scanner.slab, 0, block);
    device.write(block, [bytes]);
  }
  return nrRepaired;
}
