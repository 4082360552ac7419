import { CorruptionError } from '../base/index.ts';
import type { BlockScanner } from '../disk-space-map/index.ts';
import { NODE_VALIDATOR, NodeView } from '../format/index.ts';

/** No believable tree is this high. */
const MAX_HEIGHT = 32;

/** The leaves of a tree of one level in the order of keys, from its internal nodes alone. */
export interface LeafList {
  readonly blocks: number[];
  /** A lower bound of each leaf's keys; rounded beyond 2^53. */
  readonly keys: number[];
}

/**
 * Lists the leaves of a tree. Reads internal nodes only, and the first leaf; takes 16 bytes of memory a leaf. The leaves may turn out to be
 * damaged when they are read.
 *
 * @param valueSize - Bytes of a leaf's value.
 * @throws {CorruptionError} when an internal node cannot be believed.
 */
export function leavesOf(scanner: BlockScanner, root: number, valueSize: number): LeafList {
  let list: LeafList = { blocks: [root], keys: [0] };
  for (let height = 0; height < MAX_HEIGHT; height++) {
    const next = childrenOf(scanner, list, valueSize);
    if (next === undefined) return list;
    list = next;
  }
  throw new CorruptionError(`Cannot read a tree: it is higher than ${MAX_HEIGHT} nodes`, { block: root });
}

/** The nodes below those of a list; `undefined` when these are leaves. */
function childrenOf(scanner: BlockScanner, { blocks, keys }: LeafList, valueSize: number): LeafList | undefined {
  const children: LeafList = { blocks: [], keys: [] };
  const node = new NodeView(scanner.slab);
  const { nrBlocks } = scanner.device;
  // The first node tells whether these are leaves: then the others are not read here.
  for (let begin = 0, count = 1; begin < blocks.length; begin += count) {
    if (begin > 0) count = Math.min(scanner.capacity, blocks.length - begin);
    const batch = blocks.slice(begin, begin + count);
    loadNodes(scanner, batch);
    for (let i = 0; i < count; i++) {
      node.base = scanner.base(i);
      const block = batch[i]!;
      if (node.isLeaf) {
        if (begin + i > 0) throw outOfPlace(block, 'is a leaf, others at its depth are not');
        if (node.valueSize !== valueSize) {
          throw outOfPlace(block, `has values of ${node.valueSize} bytes, ${valueSize} are wanted`);
        }
        return undefined;
      }
      addChildren(children, node, {
        block,
        begin: keys[begin + i]!,
        end: keys[begin + i + 1] ?? Number.POSITIVE_INFINITY,
      });
    }
    if (children.blocks.length > nrBlocks)
      throw outOfPlace(blocks[0]!, 'has more nodes below it than the device has blocks');
  }
  return children;
}

interface Place {
  readonly block: number;
  readonly begin: number;
  readonly end: number;
}

function addChildren({ blocks, keys }: LeafList, node: NodeView, { block, begin, end }: Place): void {
  const { nrEntries } = node;
  let last = -1;
  for (let i = 0; i < nrEntries; i++) {
    const key = node.keyAt(i);
    if (key <= last || key < begin || key >= end)
      throw outOfPlace(block, 'has keys out of order, or outside its range');
    last = key;
    blocks.push(node.childAt(i));
    keys.push(key);
  }
}

/** Loads a batch of nodes and believes them all. @throws {CorruptionError} */
export function loadNodes(scanner: BlockScanner, blocks: ArrayLike<number>, count = blocks.length): void {
  const { nrBlocks } = scanner.device;
  for (let i = 0; i < count; i++) if (blocks[i]! >= nrBlocks) throw outOfPlace(blocks[i]!, `is outside the device`);
  scanner.load(blocks, count);
  for (let i = 0; i < count; i++) {
    const problem = scanner.problem(i, blocks[i]!, NODE_VALIDATOR);
    if (problem !== undefined) throw problem;
  }
}

/** A node that is believable by itself, but not where it is. */
export function outOfPlace(block: number, why: string): CorruptionError {
  return new CorruptionError(`Cannot read a tree: btree_node block ${block} ${why}`, { block, kind: 'btree_node' });
}
