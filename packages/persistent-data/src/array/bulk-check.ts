import type { Finding } from '../base/index.ts';
import { type Root, readU64 } from '../btree/index.ts';
import { badBlock, type LeafProblem, type TreeChecker } from '../disk-space-map/index.ts';
import { ARRAY_HEADER, ARRAY_VALIDATOR, ArrayBlockView, arrayEntriesFor } from '../format/index.ts';

/** An array, as a check in bulk looks at it. */
export interface BulkCheckedArray {
  /** Of the array's tree: tells it apart from trees of other kinds, 0 to 4. */
  readonly kind: number;
  /** Bytes of an element. */
  readonly valueSize: number;
  /** Elements that there have to be, as the array's owner says. */
  readonly length: number;
  /**
   * Gets the elements of each believable block once, however many arrays share it: `nr` of them, the first at word offset `at` of `words`, and
   * with index `first` in the array.
   */
  visit?(words: Uint32Array, at: number, nr: number, first: number, report: (problem: LeafProblem) => void): void;
}

/** What a check of an array came to. */
export interface BulkArrayOutcome {
  /** Whether all of it can be read, up to its length. */
  readonly isWhole: boolean;
  /** The root of its tree cannot be believed. */
  readonly rootIsLost: boolean;
}

/** A reference to an array block. */
interface BlockReference {
  readonly block: number;
  /** 0-based, in blocks. */
  readonly index: number;
  readonly leaf: number;
}

/**
 * Checks arrays in bulk, on top of a {@link TreeChecker}, which counts the references: what `checkArray` does for an array that is in use, this does
 * for all arrays of a device at rest. Array blocks are read together, in order of block numbers; each once, however many arrays share it.
 * Takes a byte of memory per block of the device, and a small record per block of the array at hand.
 *
 * Codes besides the tree's: `block.outside`, `block.shared`, `array.block` (unreadable), `array.geometry`, `array.not-full`, `array.gap`,
 * `array.too-short`, and what `visit` reports; all fatal.
 */
export class BulkArrayChecker {
  readonly #checker: TreeChecker;
  /** Which blocks are array blocks, as far as was met: one more than the array's kind. */
  readonly #kinds: Uint8Array;
  readonly #view: ArrayBlockView;

  constructor(checker: TreeChecker) {
    this.#checker = checker;
    this.#kinds = new Uint8Array(checker.nrBlocks);
    this.#view = new ArrayBlockView(checker.scanner.slab);
  }

  /** Checks one array, or what is new in it. Never throws for what the disk holds. */
  *check(root: Root, array: BulkCheckedArray): Generator<Finding, BulkArrayOutcome> {
    const references: BlockReference[] = [];
    const tree = yield* this.#checker.check(root, {
      kind: array.kind,
      valueSize: 8,
      visitLeaf: (node, leaf) => {
        for (let i = 0; i < node.nrEntries; i++) {
          references.push({ block: readU64(node.slab, node.valueAt(i)), index: node.keyAt(i), leaf });
        }
      },
    });
    let isWhole = tree.nrErrors === 0;
    const perBlock = arrayEntriesFor(array.valueSize);
    const nrNeeded = Math.ceil(array.length / perBlock);
    if (isWhole) {
      const missing = missingBlocks(references, tree.nrEntries, nrNeeded);
      if (missing !== undefined) {
        isWhole = false;
        const message = `array ${root} ${missing}, those of 0 to ${nrNeeded - 1} are wanted`;
        yield { severity: 'fatal', code: 'array.gap', message, block: root };
      }
    }
    for (const finding of this.#checkBlocks(root, references, array)) {
      isWhole = false;
      yield finding;
    }
    return { isWhole, rootIsLost: tree.rootIsLost };
  }

  /** Counts the references, and looks at the blocks to which no reference was met before. */
  *#checkBlocks(root: Root, references: readonly BlockReference[], array: BulkCheckedArray): Generator<Finding, void> {
    const { scanner } = this.#checker;
    const fresh: BlockReference[] = [];
    for (const reference of references) {
      const problem = this.#count(reference, array);
      if (problem === undefined) fresh.push(reference);
      else if (problem !== 'known') yield { ...place(root, reference, array), ...problem };
    }
    for (let begin = 0; begin < fresh.length; begin += scanner.capacity) {
      const batch = fresh.slice(begin, begin + scanner.capacity);
      this.#checker.load(
        batch.map(({ block }) => block),
        batch.length,
      );
      const findings: Finding[] = [];
      for (const [k, reference] of batch.entries()) {
        this.#checkBlock(k, reference, array, (problem) =>
          findings.push({ ...place(root, reference, array), ...problem }),
        );
      }
      yield* findings;
    }
  }

  /** Counts one reference. Answers what is wrong with it, or that the block is known as one of such an array; else it is new. */
  #count({ block }: BlockReference, { kind }: BulkCheckedArray): LeafProblem | 'known' | undefined {
    const checker = this.#checker;
    if (!checker.isInside(block)) {
      const message = `Cannot read array_block block ${block}: the device has ${checker.nrBlocks} blocks`;
      return { code: 'block.outside', message };
    }
    if (checker.counts.inc(block) === 0) {
      this.#kinds[block] = kind + 1;
      return undefined;
    }
    if (this.#kinds[block] === kind + 1) return 'known';
    const message = `Cannot use block ${block} as array_block block: something else refers to it as well`;
    return { code: 'block.shared', message };
  }

  #checkBlock(
    k: number,
    { block, index }: BlockReference,
    array: BulkCheckedArray,
    report: (problem: LeafProblem) => void,
  ): void {
    const { scanner } = this.#checker;
    const error = scanner.problem(k, block, ARRAY_VALIDATOR);
    if (error !== undefined) {
      report({ code: 'array.block', message: badBlock(error, block).message });
      return;
    }
    const view = this.#view;
    view.base = scanner.base(k);
    const perBlock = arrayEntriesFor(array.valueSize);
    const { nrEntries, maxEntries, valueSize } = view;
    if (valueSize !== array.valueSize || maxEntries !== perBlock) {
      const found = `${maxEntries} values of ${valueSize} bytes`;
      const message = `array_block block ${block} has room for ${found}, ${perBlock} of ${array.valueSize} bytes are wanted`;
      report({ code: 'array.geometry', message });
      return;
    }
    const first = index * perBlock;
    const wanted = Math.min(perBlock, array.length - first);
    if (nrEntries < wanted) {
      const code = first + wanted < array.length ? 'array.not-full' : 'array.too-short';
      report({ code, message: `array_block block ${block} has ${nrEntries} elements, ${wanted} are wanted` });
    }
    const at = view.base + ARRAY_HEADER.size / 4;
    if (wanted > 0) array.visit?.(view.words, at, Math.min(nrEntries, wanted), first, report);
  }
}

/**
 * Which of the first `nrNeeded` blocks an array lacks, if it lacks any. Blocks behind them are no harm: shrinking leaves some there. Leaves that
 * are shared with an array met before are not among `references`; then only the number is compared.
 */
function missingBlocks(references: readonly BlockReference[], nrEntries: number, nrNeeded: number): string | undefined {
  if (nrEntries < nrNeeded) return `has ${nrEntries} blocks`;
  if (references.length < nrEntries) return undefined;
  const gap = references.findIndex(({ index }, i) => i < nrNeeded && index !== i);
  return gap < 0 ? undefined : `has no block of index ${gap}`;
}

function place(root: Root, { block, index, leaf }: BlockReference, { valueSize }: BulkCheckedArray): Finding {
  const perBlock = arrayEntriesFor(valueSize);
  const path = leaf === root ? [root, block] : [root, leaf, block];
  const keys = { begin: BigInt(index) * BigInt(perBlock), end: (BigInt(index) + 1n) * BigInt(perBlock) };
  return { severity: 'fatal', code: '', message: '', block, path, keys };
}
