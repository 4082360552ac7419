import { CorruptionError, type Finding, joinKey, TWO_POW_32 } from '../base/index.ts';
import { readU64 } from '../btree/index.ts';
import type { CheckedTree, LeafProblem, ReferenceCounter, TreeChecker } from '../disk-space-map/index.ts';
import { DEVICE_DETAILS, type NodeView } from '../format/index.ts';
import { MAX_DEVICE_ID } from './pool-core.ts';

/* Kinds of trees, as the checker tells them apart. */
const TOP_LEVEL = 0;
const DETAILS = 1;
const MAPPINGS = 2;

/** Upper half of the first virtual block that no device can have, and that is no exact `number`: 2^53 blocks are 2^69 bytes and more. */
const TOO_HIGH = 2 ** 53 / TWO_POW_32;

const MAPPED_BLOCKS = DEVICE_DETAILS.offset('mappedBlocks');

/** A thin device whose content is not what its details say, or cannot be reached in full. */
export interface DeviceFinding extends Finding {
  readonly device: number;
  /** Mappings that the device should have. */
  readonly expected: number;
  /** Mappings that can be reached. */
  readonly found: number;
}

/** Roots of a pool's trees: block numbers. */
export interface PoolRoots {
  readonly mappingRoot: number;
  readonly detailsRoot: number;
}

/** What a metadata snapshot is compared with, and its lists in full: of the nodes that it shares with the pool its walk sees nothing. */
export interface HeldLists {
  readonly pool: CheckedDevices;
  /** Roots and mapped blocks by device. @throws what reading throws; asked only when both lists were found to be whole. */
  read(): { readonly roots: ReadonlyMap<number, number>; readonly mappedBlocks: ReadonlyMap<number, number> };
}

/** The devices that a superblock refers to, while they are checked. */
export class CheckedDevices {
  /** Ids and roots of the devices that were not met before. */
  readonly #roots = new Map<number, number>();
  /** All ids and roots. */
  #listed: ReadonlyMap<number, number> = this.#roots;
  /** Mapped blocks by device; of a metadata snapshot at first those that were not met before. */
  #mappedBlocks = new Map<number, number>();
  readonly #checker: TreeChecker;
  readonly #dataCounts: ReferenceCounter;
  readonly #held: HeldLists | undefined;

  /** @param held - Of a metadata snapshot. Nodes that it shares with its pool were checked there. */
  constructor(checker: TreeChecker, dataCounts: ReferenceCounter, held?: HeldLists) {
    this.#checker = checker;
    this.#dataCounts = dataCounts;
    this.#held = held;
  }

  /** Reads the list of devices and their details, and compares them. Answers whether all could be read. */
  *list({ mappingRoot, detailsRoot }: PoolRoots, onDetails?: () => void): Generator<Finding, boolean> {
    const topLevel = yield* this.#checker.check(mappingRoot, {
      kind: TOP_LEVEL,
      valueSize: 8,
      visitLeaf: (node, block, report) => this.#takeRoots(node, block, report),
    });
    onDetails?.();
    const details = yield* this.#checker.check(detailsRoot, {
      kind: DETAILS,
      valueSize: DEVICE_DETAILS.size,
      visitLeaf: (node) => this.#takeDetails(node),
    });
    if (topLevel.nrErrors > 0 || details.nrErrors > 0) return false;
    if (this.#held !== undefined) {
      const unread = this.#readHeld(this.#held);
      if (unread !== undefined) {
        yield { severity: 'fatal', code: 'btree.node', message: unread.message };
        return false;
      }
    }
    const withoutDetails = [...this.#listed.keys()].filter((id) => !this.#mappedBlocks.has(id));
    const withoutRoot = [...this.#mappedBlocks.keys()].filter((id) => !this.#listed.has(id));
    for (const device of [...withoutDetails, ...withoutRoot]) {
      const lacks = this.#listed.has(device) ? 'has no details' : 'has details and no mapping tree';
      const message = `Inconsistency between the details tree and the mapping tree: thin device ${device} ${lacks}`;
      yield { severity: 'fatal', code: 'thin.ids', message, device };
    }
    return withoutDetails.length === 0 && withoutRoot.length === 0;
  }

  /** Answers what keeps it from reading. */
  #readHeld(held: HeldLists): CorruptionError | undefined {
    try {
      const { roots, mappedBlocks } = held.read();
      this.#listed = roots;
      this.#mappedBlocks = new Map(mappedBlocks);
      return undefined;
    } catch (error) {
      if (error instanceof CorruptionError) return error;
      throw error;
    }
  }

  /** Checks the mapping trees of all devices. Answers whether all is as it should be. */
  *checkMappings(): Generator<Finding, boolean> {
    let isWhole = true;
    for (const [device, root] of this.#roots) {
      const outcome = yield* this.#checker.check(root, this.#mappingTree(device));
      const found = outcome.nrEntries;
      const expected = this.#mappedBlocks.get(device);
      if (outcome.nrErrors > 0) isWhole = false;
      if (outcome.nrErrors === 0 && (expected === undefined || expected === found)) continue;
      yield this.#deviceFinding(device, outcome, expected ?? found);
    }
    if (this.#held !== undefined) yield* this.#compareShared(this.#held.pool);
    return isWhole;
  }

  /** Devices whose entry in the list a metadata snapshot shares with its pool: the pool's details are right or were found fault with. */
  *#compareShared(pool: CheckedDevices): Generator<Finding, void> {
    for (const [device, root] of this.#listed) {
      if (this.#roots.has(device) || pool.#listed.get(device) !== root) continue;
      const [expected, found] = [this.#mappedBlocks.get(device), pool.#mappedBlocks.get(device)];
      if (expected === undefined || found === undefined || expected === found) continue;
      yield this.#deviceFinding(device, { nrEntries: found, nrErrors: 0, rootIsLost: false }, expected);
    }
  }

  #deviceFinding(
    device: number,
    { nrEntries, nrErrors, rootIsLost }: { nrEntries: number; nrErrors: number; rootIsLost: boolean },
    expected: number,
  ): DeviceFinding {
    const finding = { severity: 'fatal', device, expected, found: nrEntries } as const;
    const name = this.#held === undefined ? `Thin device ${device}` : `Thin device ${device} of the metadata snapshot`;
    if (rootIsLost) {
      return { ...finding, code: 'thin.root', message: `${name} is missing root with ${expected} mappings` };
    }
    if (nrErrors > 0) {
      const missing = Math.max(0, expected - nrEntries);
      const message = `${name} has ${nrErrors} errors and is missing ${missing} mappings, while expected ${expected}`;
      return { ...finding, code: 'thin.device', message };
    }
    const message = `${name} has unexpected number of mappings, expected ${expected}, actual ${nrEntries}`;
    return { ...finding, code: 'thin.mapped-blocks', message };
  }

  #takeRoots(node: NodeView, block: number, report: (problem: LeafProblem) => void): void {
    for (let i = 0; i < node.nrEntries; i++) {
      const id = node.keyAt(i);
      if (id <= MAX_DEVICE_ID) this.#roots.set(id, node.childAt(i));
      else report({ code: 'thin.device-id', message: `Cannot use btree_node block ${block}: found thin device ${id}` });
    }
  }

  #takeDetails(node: NodeView): void {
    for (let i = 0; i < node.nrEntries; i++) {
      this.#mappedBlocks.set(node.keyAt(i), readU64(node.slab, node.valueAt(i) + MAPPED_BLOCKS));
    }
  }

  #mappingTree(device: number): CheckedTree {
    return {
      kind: MAPPINGS,
      valueSize: 8,
      device,
      visitLeaf: (node, block, report) => this.#countMappings(node, block, report),
    };
  }

  #countMappings(node: NodeView, block: number, report: (problem: LeafProblem) => void): void {
    const counts = this.#dataCounts;
    const { nrBlocks } = counts;
    // Where a mapping has its block, above its time.
    const nrOutside = counts.incPacked(node.words, node.valueAt(0) >>> 2, node.nrEntries);
    const last = node.nrEntries - 1;
    if (last >= 0 && node.keyHigh(last) >= TOO_HIGH) {
      const found = `found virtual block ${joinKey(node.keyHigh(last), node.keyLow(last))}, no device is that long`;
      report({ code: 'thin.virtual-block', message: `Cannot use btree_node block ${block}: ${found}` });
    }
    if (nrOutside === 0) return;
    const found = `${nrOutside} mappings are to data blocks beyond the last`;
    report({
      code: 'thin.data-block',
      message: `Cannot use btree_node block ${block}: ${found}, there are ${nrBlocks} data blocks`,
    });
  }
}
