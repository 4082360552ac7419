import { CorruptionError, DeviceError, type Finding } from '../base/index.ts';
import { CheckedNodes, checkTree, type NodeSummary, type Root, readU64 } from '../btree/index.ts';
import { ARRAY_VALIDATOR, ArrayBlockView, arrayEntriesFor, type NodeView } from '../format/index.ts';
import { type BlockReader, ShadowSet } from '../transaction-manager/index.ts';

export interface ArrayCheckOptions {
  /** Bytes of an element. */
  readonly valueSize: number;
  /** Elements that there have to be, as the array's owner says. Default 0. */
  readonly length?: number;
  /** Nodes that were checked before, with another tree of this device. */
  readonly nodes?: CheckedNodes;
  /** Array blocks that were checked before. */
  readonly arrayBlocks?: ShadowSet;
  /** Called for every reference to a block of the array: nodes of the tree and array blocks. */
  readonly onBlock?: (block: number) => void;
  /** Called once for each sound array block: a view of it, valid during the call, and the index of its first element. */
  readonly onElements?: (view: ArrayBlockView, first: number) => void;
  /** Put before the path in each finding: blocks that lead to the root. */
  readonly path?: readonly number[];
}

/** What a check has counted. */
export interface CheckedArray {
  readonly nrBlocks: number;
  readonly damaged: boolean;
}

/**
 * Checks an array: its tree, as {@link checkTree} does; that the blocks' indexes are 0 to n - 1; and of each block that it can be read, that
 * its geometry is right, and that all but the last are full and together hold `length` elements. Goes on after the first finding and never
 * throws for what the disk holds.
 *
 * Codes besides the tree's: `array.block` (unreadable), `array.geometry`, `array.not-full`, `array.gap`, `array.too-short`; all fatal.
 */
export function* checkArray(
  reader: BlockReader,
  root: Root,
  options: ArrayCheckOptions,
): Generator<Finding, CheckedArray, undefined> {
  const checker = new ArrayBlockChecker(reader, root, options);
  const { nodes = new CheckedNodes(), onBlock, path } = options;
  const tree = checkTree(reader, root, {
    valueSize: 8,
    nodes,
    onLeafValues: (node) => checker.checkLeaf(node),
    ...(onBlock && { onBlock }),
    ...(path && { path }),
  });
  let step = tree.next();
  while (!step.done) {
    yield* checker.findings.splice(0);
    yield step.value;
    step = tree.next();
  }
  const { nrEntries, damaged } = step.value;
  // With parts missing there is nothing to count.
  const summary = damaged ? undefined : nodes.get(root);
  if (summary !== undefined) checker.finish(summary);
  yield* checker.findings.splice(0);
  return { nrBlocks: nrEntries, damaged: damaged || checker.damaged };
}

/** An array block, and where it says that it belongs. */
interface IndexedBlock {
  readonly block: number;
  /** 0-based, in blocks. */
  readonly index: number;
  readonly leaf: number;
}

class ArrayBlockChecker {
  readonly findings: Finding[] = [];
  damaged = false;
  readonly #reader: BlockReader;
  readonly #root: Root;
  readonly #options: ArrayCheckOptions;
  readonly #view: ArrayBlockView;
  readonly #seen: ShadowSet;
  readonly #perBlock: number;
  /** The last block met, which alone may be partly full: it is judged when another one comes. */
  #last: { readonly at: IndexedBlock; readonly nrEntries: number } | undefined;

  constructor(reader: BlockReader, root: Root, options: ArrayCheckOptions) {
    this.#reader = reader;
    this.#root = root;
    this.#options = options;
    this.#view = new ArrayBlockView(reader.blockManager.slab);
    this.#seen = options.arrayBlocks ?? new ShadowSet();
    this.#perBlock = arrayEntriesFor(options.valueSize);
  }

  checkLeaf(node: NodeView): void {
    const { blockManager } = this.#reader;
    const leaf = blockManager.blockAt(node.base);
    // The node's place holds until the next read, so its entries are taken out first.
    const blocks = Array.from({ length: node.nrEntries }, (_, i): IndexedBlock => {
      return { block: readU64(node.slab, node.valueAt(i)), index: node.keyAt(i), leaf };
    });
    const missing = blocks
      .map(({ block }) => block)
      .filter((block) => block < blockManager.nrBlocks && !this.#seen.has(block));
    blockManager.prefetch(missing, ARRAY_VALIDATOR);
    for (const block of blocks) this.#checkBlock(block);
  }

  finish({ nrKeys: nrBlocks, lastHigh, lastLow }: NodeSummary): void {
    const { length = 0 } = this.#options;
    const lastIndex = nrBlocks === 0 ? -1 : lastHigh * 0x1_0000_0000 + lastLow;
    // Keys rise, so n of them are 0 to n - 1 if the last one is n - 1.
    if (lastIndex !== nrBlocks - 1) {
      const found = `has ${nrBlocks} blocks, the last of index ${lastIndex}`;
      this.#report(undefined, 'array.gap', `array ${this.#root} ${found}: indexes without gaps are wanted`, 0);
      return;
    }
    // The last block is not known when it was checked before, with another array that shares its leaf.
    const last = this.#last;
    const nrInLast = last !== undefined && last.at.index === lastIndex ? last.nrEntries : this.#perBlock;
    const nrElements = nrBlocks === 0 ? 0 : lastIndex * this.#perBlock + nrInLast;
    if (nrElements < length) {
      const message = `array ${this.#root} has ${nrElements} elements, ${length} are wanted`;
      this.#report(undefined, 'array.too-short', message, nrElements);
    }
  }

  #checkBlock(at: IndexedBlock): void {
    const { block } = at;
    const { onBlock, onElements, valueSize } = this.#options;
    onBlock?.(block);
    const before = this.#last;
    this.#last = undefined;
    if (before !== undefined && before.nrEntries < this.#perBlock) {
      const message = `array_block block ${before.at.block} has ${before.nrEntries} elements and is not the last, ${this.#perBlock} are wanted`;
      this.#report(before.at, 'array.not-full', message);
    }
    const view = this.#view;
    try {
      view.base = this.#reader.read(block, ARRAY_VALIDATOR);
    } catch (error) {
      if (!(error instanceof CorruptionError || error instanceof DeviceError)) throw error;
      this.#report(at, 'array.block', error.message);
      return;
    }
    const { nrEntries, maxEntries } = view;
    if (view.valueSize !== valueSize || maxEntries !== this.#perBlock) {
      const found = `${maxEntries} values of ${view.valueSize} bytes`;
      const message = `array_block block ${block} has room for ${found}, ${this.#perBlock} of ${valueSize} bytes are wanted`;
      this.#report(at, 'array.geometry', message);
      return;
    }
    this.#last = { at, nrEntries };
    if (this.#seen.has(block)) return;
    this.#seen.add(block);
    onElements?.(view, at.index * this.#perBlock);
  }

  #report(
    at: IndexedBlock | undefined,
    code: string,
    message: string,
    first = (at?.index ?? 0) * this.#perBlock,
  ): void {
    this.damaged = true;
    const end = at === undefined ? (this.#options.length ?? 0) : first + this.#perBlock;
    const path = [...(this.#options.path ?? []), this.#root];
    if (at !== undefined && at.leaf !== this.#root) path.push(at.leaf);
    if (at !== undefined) path.push(at.block);
    this.findings.push({
      severity: 'fatal',
      code,
      message,
      block: at?.block ?? this.#root,
      path,
      keys: { begin: BigInt(first), end: BigInt(end) },
    });
  }
}
