import type { BlockScanner } from '../disk-space-map/index.ts';
import { NodeView } from '../format/index.ts';
import { type DeviceSets, NO_DEVICES } from './device-sets.ts';
import { loadNodes, outOfPlace } from './leaf-list.ts';

/** No believable tree is this high. */
const MAX_HEIGHT = 32;

/** Gets a leaf of mappings, once, with the set of the devices that reach it. The node is valid during the call. */
export type SharedLeafVisitor = (node: NodeView, block: number, devices: number) => void;

/** What a walk reports besides leaves. */
export interface SharedWalkOptions {
  /** Called after each batch with the nodes read so far. */
  readonly onProgress?: (nrRead: number) => void;
  /** Called for each internal node before its children are followed. */
  readonly onInternal?: (node: NodeView, block: number) => void;
}

/**
 * Visits every leaf of many trees once, whoever shares it, and tells who does. Nodes are read level by level, each level in order of block numbers,
 * so a large pool is read in long runs. Takes 5 bytes of memory a metadata block.
 *
 * A walk like this does not compare keys with those above: it is made for counting, not for checking. It ends on any device, as no block is
 * entered twice.
 *
 * @param roots - The root of each device's tree; its index is the number of the device in `sets`.
 * @throws {CorruptionError} when a node cannot be believed.
 */
export function walkShared(
  scanner: BlockScanner,
  roots: readonly number[],
  sets: DeviceSets,
  visit: SharedLeafVisitor,
  options: SharedWalkOptions = {},
): void {
  const walk = new SharedWalk(scanner, sets, options);
  const heights = walk.heightsOf(roots);
  roots.forEach((root, device) => {
    walk.add(root, heights[device]!, device + 1);
  });
  for (let height = Math.max(0, ...heights); height > 0; height--) walk.descend(height);
  walk.visitLeaves(visit);
}

class SharedWalk {
  readonly #scanner: BlockScanner;
  readonly #sets: DeviceSets;
  readonly #options: SharedWalkOptions;
  readonly #node: NodeView;
  /** Who reaches a block: a set of devices; 0 where nobody does so far. */
  readonly #setOf: Uint32Array;
  readonly #heightOf: Uint8Array;
  /** Blocks by height above the leaves. */
  readonly #byHeight: number[][] = [[]];

  constructor(scanner: BlockScanner, sets: DeviceSets, options: SharedWalkOptions) {
    this.#scanner = scanner;
    this.#sets = sets;
    this.#options = options;
    this.#node = new NodeView(scanner.slab);
    this.#setOf = new Uint32Array(scanner.device.nrBlocks);
    this.#heightOf = new Uint8Array(scanner.device.nrBlocks);
  }

  /** How high each tree is, from its left-most nodes. */
  heightsOf(roots: readonly number[]): number[] {
    const heights = new Map<number, number>();
    let open = [...new Set(roots)].map((root) => ({ root, block: root }));
    for (let height = 0; open.length > 0; height++) {
      if (height > MAX_HEIGHT) throw outOfPlace(open[0]!.root, `has more than ${MAX_HEIGHT} nodes below it`);
      open = open.flatMap(({ root, block }) => {
        loadNodes(this.#scanner, [block]);
        this.#node.base = this.#scanner.base(0);
        if (!this.#node.isLeaf) return [{ root, block: this.#node.childAt(0) }];
        heights.set(root, height);
        return [];
      });
    }
    return roots.map((root) => heights.get(root)!);
  }

  /** Notes that devices reach a node. */
  add(block: number, height: number, devices: number): void {
    if (block >= this.#setOf.length) throw outOfPlace(block, 'is outside the device');
    const known = this.#setOf[block]!;
    if (known === NO_DEVICES) {
      for (let i = this.#byHeight.length; i <= height; i++) this.#byHeight.push([]);
      this.#byHeight[height]!.push(block);
      this.#heightOf[block] = height;
      this.#setOf[block] = devices;
      return;
    }
    if (this.#heightOf[block] !== height) throw outOfPlace(block, 'is at two depths');
    if (known !== devices) this.#setOf[block] = this.#sets.union(known, devices);
  }

  /** Follows the nodes of one height to those below. All that is above has been followed. */
  descend(height: number): void {
    this.#forEach(height, (node, block, devices) => {
      if (node.isLeaf) throw outOfPlace(block, 'is a leaf, others at its depth are not');
      this.#options.onInternal?.(node, block);
      const { nrEntries } = node;
      for (let i = 0; i < nrEntries; i++) this.add(node.childAt(i), height - 1, devices);
    });
  }

  visitLeaves(visit: SharedLeafVisitor): void {
    this.#forEach(0, (node, block, devices) => {
      if (!node.isLeaf) throw outOfPlace(block, 'is no leaf, others at its depth are');
      if (node.valueSize !== 8) throw outOfPlace(block, `has values of ${node.valueSize} bytes, 8 are wanted`);
      visit(node, block, devices);
    });
  }

  #forEach(height: number, visit: SharedLeafVisitor): void {
    const scanner = this.#scanner;
    const node = this.#node;
    const blocks = Float64Array.from(this.#byHeight[height] ?? []).sort();
    this.#byHeight[height] = [];
    for (let begin = 0; begin < blocks.length; begin += scanner.capacity) {
      const batch = blocks.subarray(begin, begin + scanner.capacity);
      loadNodes(scanner, batch);
      for (let i = 0; i < batch.length; i++) {
        node.base = scanner.base(i);
        visit(node, batch[i]!, this.#setOf[batch[i]!]!);
      }
      this.#options.onProgress?.(scanner.nrRead);
    }
  }
}
