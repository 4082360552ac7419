import type { BulkArrayChecker } from '../array/index.ts';
import type { Finding } from '../base/index.ts';
import { BITSET_WORD, wordsFor } from '../bitset/index.ts';
import type { LeafProblem, TreeChecker } from '../disk-space-map/index.ts';
import { ERA_WRITESET } from '../format/index.ts';
import { type EraSuperblock, MAX_NR_BLOCKS } from './superblock.ts';
import { WRITESET_VALUE, type Writeset } from './writeset.ts';

/** Kinds of trees, as the checker tells them apart. */
const WRITESET_TREE = 0;
const ERA_ARRAY = 1;
const BITSET = 2;

const ERA_SIZE = 4;
/** Wrong eras of one array block that are told one by one. */
const MOST_VALUES = 4;

/** The writesets and the era array of a superblock, or of a metadata snapshot. */
export class CheckedEras {
  readonly #checker: TreeChecker;
  readonly #arrays: BulkArrayChecker;
  readonly #superblock: EraSuperblock;

  constructor(checker: TreeChecker, arrays: BulkArrayChecker, superblock: EraSuperblock) {
    this.#checker = checker;
    this.#arrays = arrays;
    this.#superblock = superblock;
  }

  /** The tree, each archived bitset that was not met before, and the current one. Answers whether all is as it should be. */
  *checkWritesets(withCurrent: boolean): Generator<Finding, boolean> {
    const { writesetTreeRoot, currentWriteset, currentEra } = this.#superblock;
    const hasCurrent = withCurrent && currentWriteset.root !== 0;
    const found: (Writeset & { readonly era: number })[] = [];
    const tree = yield* this.#checker.check(writesetTreeRoot, {
      kind: WRITESET_TREE,
      valueSize: ERA_WRITESET.size,
      visitLeaf: (node, _block, report) => {
        for (let i = 0; i < node.nrEntries; i++) {
          const era = node.keyAt(i);
          found.push({ era, ...WRITESET_VALUE.read(node.slab, node.valueAt(i)) });
          const isLate = era > currentEra || (hasCurrent && era === currentEra);
          if (isLate) report(lateWriteset(era, currentEra, hasCurrent));
        }
      },
    });
    let isWhole = tree.nrErrors === 0;
    for (const writeset of found) isWhole = (yield* this.#checkBits(writeset.era, writeset)) && isWhole;
    if (hasCurrent) isWhole = (yield* this.#checkBits(currentEra, currentWriteset)) && isWhole;
    return isWhole;
  }

  /** Answers whether it is as it should be. */
  *checkArray(): Generator<Finding, boolean> {
    const { eraArrayRoot, nrBlocks, currentEra } = this.#superblock;
    const { isWhole } = yield* this.#arrays.check(eraArrayRoot, {
      kind: ERA_ARRAY,
      valueSize: ERA_SIZE,
      length: nrBlocks,
      visit: (words, at, nr, first, report) => {
        let nrWrong = 0;
        for (let i = 0; i < nr; i++) {
          const era = words[at + i]!;
          if (era > currentEra && ++nrWrong <= MOST_VALUES) report(wrongValue(first + i, era));
        }
        const nrLeft = nrWrong - MOST_VALUES;
        if (nrLeft > 0) {
          const range = `data blocks ${first} to ${first + nr - 1}`;
          report({ code: 'era.value', message: `invalid era values at ${nrLeft} more of ${range}` });
        }
      },
    });
    return isWhole;
  }

  *#checkBits(era: number, { nrBits, root }: Writeset): Generator<Finding, boolean> {
    if (nrBits > MAX_NR_BLOCKS) {
      const message = `writeset of era ${era}: nr_bits is ${nrBits}, at most ${MAX_NR_BLOCKS} are wanted`;
      yield { severity: 'fatal', code: 'era.size', message, block: root };
    }
    const array = { kind: BITSET, valueSize: BITSET_WORD.size, length: wordsFor(nrBits) };
    const run = this.#arrays.check(root, array);
    let step = run.next();
    for (; !step.done; step = run.next()) {
      const { keys, message, ...finding } = step.value;
      // The array's keys are words, or blocks of them: the message says what they are of.
      yield { ...finding, message: `writeset of era ${era}: ${message}` };
    }
    return step.value.isWhole;
  }
}

function lateWriteset(era: number, currentEra: number, hasCurrent: boolean): LeafProblem {
  const wanted = hasCurrent ? `one below the current era ${currentEra}` : `at most the current era ${currentEra}`;
  return { code: 'era.writeset', message: `found an archived writeset of era ${era}, ${wanted} is wanted` };
}

function wrongValue(block: number, era: number): LeafProblem {
  return { code: 'era.value', message: `invalid era value at data block ${block}: ${era}` };
}
