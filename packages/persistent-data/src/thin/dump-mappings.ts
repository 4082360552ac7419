import { CorruptionError, joinKey, TWO_POW_32 } from '../base/index.ts';
import { BlockScanner } from '../disk-space-map/index.ts';
import { NODE_HEADER, NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import type { BlockReader } from '../transaction-manager/index.ts';
import type { LeafSharing } from './leaf-sharing.ts';
import { MappingRuns } from './mapping-runs.ts';
import type { ThinVisitor } from './visitor.ts';

const KEYS = NODE_HEADER.size / 4;
/** Upper half of the first key that is no exact `number`. */
const INEXACT = 2 ** 53 / TWO_POW_32;
/** Leaves that are read together. */
const BATCH = 512;
const NO_END = Number.POSITIVE_INFINITY;

/** Virtual blocks of a def; `begin` is negative when there are none. */
interface KnownDef {
  readonly begin: number;
  readonly end: number;
}

/**
 * Gives the mappings of defs and devices to a visitor. Leaves wait until a batch of them can be read together, in order of block numbers; what
 * is to be said between them waits with them.
 */
export class MappingDump {
  readonly #reader: BlockReader;
  readonly #scanner: BlockScanner;
  readonly #visitor: ThinVisitor;
  readonly #runs: MappingRuns;
  readonly #node: NodeView;
  readonly #inner: NodeView;
  readonly #defs = new Map<number, KnownDef>();
  readonly #onRead: ((nrRead: number) => void) | undefined;
  /** What is to come: leaves, and where `#isRef` is 1 refs, by the first leaf of the def. */
  readonly #waiting = new Float64Array(BATCH);
  readonly #isRef = new Uint8Array(BATCH);
  #nrWaiting = 0;
  readonly #batch = new Float64Array(BATCH);
  /** The first virtual block of the def or device so far, or -1; and the one behind the last. */
  #begin = -1;
  #end = 0;

  /** @param reader - Reads internal nodes, through a cache. Leaves are read from the device. */
  constructor(device: BlockDevice, reader: BlockReader, visitor: ThinVisitor, onRead?: (nrRead: number) => void) {
    this.#reader = reader;
    this.#scanner = new BlockScanner(device, BATCH);
    this.#visitor = visitor;
    this.#runs = new MappingRuns(visitor);
    this.#node = new NodeView(this.#scanner.slab);
    this.#inner = new NodeView(reader.blockManager.slab);
    this.#onRead = onRead;
  }

  /** The mappings of a shared run of leaves, which begins with `first`. */
  def(first: number, sharing: LeafSharing): void {
    this.#restart();
    for (let leaf = first; leaf >= 0; leaf = sharing.nextInRun(leaf)) this.#add(leaf, 0);
    this.#flush();
    this.#defs.set(first, { begin: this.#begin, end: this.#end });
  }

  /** The mappings of a device. Shared runs, if `sharing` tells of them, become refs; their defs have been given before. */
  device(root: number, height: number, sharing?: LeafSharing): void {
    this.#restart();
    if (height === 0) this.#leaf(root, sharing);
    else this.#walk(root, height, { begin: 0, end: NO_END }, sharing);
    this.#flush();
  }

  #restart(): void {
    this.#begin = -1;
    this.#end = 0;
  }

  /** Ranges of keys that nest keep this from going on for ever, whatever refers to what. */
  #walk(block: number, height: number, range: { begin: number; end: number }, sharing: LeafSharing | undefined): void {
    const node = this.#inner;
    node.base = this.#reader.read(block, NODE_VALIDATOR);
    const { nrEntries } = node;
    if (node.isLeaf) throw corrupt(block, 'is a leaf, less deep than others of its tree');
    const keys = Array.from({ length: nrEntries }, (_, i) => node.keyAt(i));
    const children = keys.map((_, i) => node.childAt(i));
    if (keys[0]! < range.begin || keys[nrEntries - 1]! >= range.end) {
      throw corrupt(
        block,
        `has keys ${keys[0]} to ${keys[nrEntries - 1]}, its parent wants ${range.begin} to below ${range.end}`,
      );
    }
    for (const [i, child] of children.entries()) {
      const begin = keys[i]!;
      const end = i + 1 < nrEntries ? keys[i + 1]! : range.end;
      if (begin >= end) throw corrupt(block, `has keys out of order at entry ${i}`);
      if (height === 1) this.#leaf(child, sharing);
      else this.#walk(child, height - 1, { begin, end }, sharing);
    }
  }

  #leaf(leaf: number, sharing: LeafSharing | undefined): void {
    if (sharing === undefined || !sharing.isShared(leaf)) this.#add(leaf, 0);
    else if (sharing.beginsRun(leaf)) this.#add(leaf, 1);
  }

  #add(leaf: number, isRef: 0 | 1): void {
    if (this.#nrWaiting === BATCH) this.#giveOut();
    this.#waiting[this.#nrWaiting] = leaf;
    this.#isRef[this.#nrWaiting] = isRef;
    this.#nrWaiting++;
  }

  #flush(): void {
    this.#giveOut();
    this.#runs.flush();
  }

  /** Reads the leaves that wait, and gives out all that waits. */
  #giveOut(): void {
    const scanner = this.#scanner;
    const nr = this.#nrWaiting;
    let nrLeaves = 0;
    for (let i = 0; i < nr; i++) if (this.#isRef[i] === 0) this.#batch[nrLeaves++] = this.#inside(this.#waiting[i]!);
    scanner.load(this.#batch, nrLeaves);
    this.#onRead?.(scanner.nrRead);
    this.#nrWaiting = 0;
    for (let i = 0, index = 0; i < nr; i++) {
      const leaf = this.#waiting[i]!;
      if (this.#isRef[i] === 1) {
        this.#ref(leaf);
        continue;
      }
      const problem = scanner.problem(index, leaf, NODE_VALIDATOR);
      if (problem !== undefined) throw problem;
      this.#node.base = scanner.base(index++);
      this.#mappings(leaf);
    }
  }

  #ref(first: number): void {
    this.#runs.flush();
    this.#visitor.ref(String(first));
    const def = this.#defs.get(first);
    if (def === undefined || def.begin < 0) return;
    if (def.begin < this.#end) throw corrupt(first, `begins with key ${def.begin}, after ${this.#end - 1}`);
    if (this.#begin < 0) this.#begin = def.begin;
    this.#end = def.end;
  }

  /** The hot loop: some nanoseconds per mapping. {@link #node} is at the leaf. */
  #mappings(leaf: number): void {
    const node = this.#node;
    const { words, nrEntries, base } = node;
    if (!node.isLeaf) throw corrupt(leaf, 'is internal, a leaf is wanted at this depth');
    if (node.valueSize !== 8) throw corrupt(leaf, `has values of ${node.valueSize} bytes, 8 are wanted`);
    const runs = this.#runs;
    let end = this.#end;
    let key = base + KEYS;
    let value = node.valueAt(0) >>> 2;
    for (let i = 0; i < nrEntries; i++, key += 2, value += 2) {
      const high = words[key + 1]!;
      const virtualBlock = high * TWO_POW_32 + words[key]!;
      if (virtualBlock < end || high >= INEXACT) throw badKey(leaf, node, i, end);
      const low = words[value]!;
      runs.add(virtualBlock, words[value + 1]! * 256 + (low >>> 24), low & 0xff_ffff);
      end = virtualBlock + 1;
    }
    if (this.#begin < 0 && nrEntries > 0) this.#begin = node.keyAt(0);
    this.#end = end;
  }

  #inside(leaf: number): number {
    const { nrBlocks } = this.#scanner.device;
    if (leaf < nrBlocks) return leaf;
    throw corrupt(leaf, `is outside the device of ${nrBlocks} blocks`);
  }
}

function badKey(leaf: number, node: NodeView, index: number, end: number): CorruptionError {
  const key = joinKey(node.keyHigh(index), node.keyLow(index));
  if (typeof key === 'bigint') return corrupt(leaf, `has key ${key}, virtual blocks below 2^53 are supported`);
  return corrupt(leaf, `has key ${key} after ${end - 1}, rising keys are wanted`);
}

function corrupt(block: number, why: string): CorruptionError {
  const place = { block, kind: 'btree_node' };
  return new CorruptionError(`Cannot use btree_node block ${block}: it ${why}`, place);
}
