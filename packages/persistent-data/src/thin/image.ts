import { assert, CorruptionError, StateError } from '../base/index.ts';
import { BlockScanner } from '../disk-space-map/index.ts';
import {
  type BlockValidator,
  NODE_VALIDATOR,
  NodeView,
  SUPERBLOCK_LOCATION,
  THIN_SUPERBLOCK_VALIDATOR,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { DEVICE_DETAILS_TYPE, type DeviceDetails } from './device-details.ts';
import { leavesOf } from './leaf-list.ts';
import { readThinSuperblock, type ThinSuperblock } from './superblock.ts';

/** No believable tree is this high. */
const MAX_HEIGHT = 32;

/** A device of an image: its details, and where its mappings are. */
export interface ImageDevice extends DeviceDetails {
  readonly id: number;
  /** Block of the root of its tree of mappings. */
  readonly root: number;
}

/** What of a metadata device to look at. */
export interface ThinImageOptions {
  /** The metadata snapshot (`true`), or the copy of a superblock at a block: what a live pool lets others read. */
  readonly metadataSnapshot?: boolean | number;
  /** Roots in place of the superblock's, for instance older ones. */
  readonly mappingRoot?: number;
  readonly detailsRoot?: number;
}

/**
 * The metadata of a pool on a device, for tools that read much and write nothing. No cache: blocks are read in batches, in order. Takes the
 * memory of one batch.
 *
 * @throws {CorruptionError} from all methods when a block on the way cannot be believed.
 */
export class ThinImage {
  readonly device: BlockDevice;
  readonly scanner: BlockScanner;
  /** The superblock that was asked for; of a metadata snapshot, its copy. */
  readonly superblock: ThinSuperblock;
  /** Bound of data blocks: from the live superblock, also for a metadata snapshot, whose copy has none. */
  readonly nrDataBlocks: number;
  readonly mappingRoot: number;
  readonly detailsRoot: number;

  constructor(device: BlockDevice, options: ThinImageOptions = {}) {
    this.device = device;
    this.scanner = new BlockScanner(device);
    const { metadataSnapshot = false } = options;
    const live = this.#superblockAt(SUPERBLOCK_LOCATION, 'bad checksum in superblock');
    this.nrDataBlocks = live.dataSpaceMapRoot.nrBlocks;
    this.superblock = metadataSnapshot === false ? live : this.#held(live, metadataSnapshot);
    this.mappingRoot = options.mappingRoot ?? this.superblock.dataMappingRoot;
    this.detailsRoot = options.detailsRoot ?? this.superblock.deviceDetailsRoot;
  }

  /** All devices, by id. @throws {CorruptionError} when the two lists of devices differ. */
  devices(): ImageDevice[] {
    const roots = this.roots();
    const details = this.details();
    if (details.size !== roots.size) throw differentDevices();
    return [...roots].map(([id, root]) => {
      const found = details.get(id);
      if (found === undefined) throw differentDevices();
      return { id, root, ...found };
    });
  }

  /** The roots of all devices' trees, by id. */
  roots(): Map<number, number> {
    const found = new Map<number, number>();
    this.#forEachEntry(this.mappingRoot, 8, (node, i) => found.set(node.keyAt(i), node.childAt(i)));
    return found;
  }

  /** The details of all devices, by id. */
  details(): Map<number, DeviceDetails> {
    const found = new Map<number, DeviceDetails>();
    const { size } = DEVICE_DETAILS_TYPE;
    this.#forEachEntry(this.detailsRoot, size, (node, i) => {
      found.set(node.keyAt(i), DEVICE_DETAILS_TYPE.read(node.slab, node.valueAt(i)));
    });
    return found;
  }

  /** The highest key of a device's tree, or `undefined` when it has none. Reads one node per level. */
  lastKey(root: number): number | undefined {
    const node = new NodeView(this.scanner.slab);
    let block = root;
    for (let depth = 0; depth < MAX_HEIGHT; depth++) {
      loadBlock(this.scanner, block, NODE_VALIDATOR);
      node.base = 0;
      const last = node.nrEntries - 1;
      if (node.isLeaf) return last < 0 ? undefined : node.keyAt(last);
      block = node.childAt(last);
    }
    throw new CorruptionError(`Cannot read a tree: it is higher than ${MAX_HEIGHT} nodes`, { block: root });
  }

  #forEachEntry(root: number, valueSize: number, visit: (node: NodeView, index: number) => void): void {
    const { scanner } = this;
    const { blocks } = leavesOf(scanner, root, valueSize);
    const node = new NodeView(scanner.slab);
    for (const block of blocks) {
      loadBlock(scanner, block, NODE_VALIDATOR);
      node.base = 0;
      const { nrEntries } = node;
      for (let i = 0; i < nrEntries; i++) visit(node, i);
    }
  }

  #held(live: ThinSuperblock, which: true | number): ThinSuperblock {
    const block = which === true ? live.heldRoot : which;
    if (block === 0) throw new StateError('no current metadata snap');
    return this.#superblockAt(block, 'metadata snap: bad checksum in superblock');
  }

  /** @param text - What the tools say of a superblock that cannot be believed. */
  #superblockAt(block: number, text: string): ThinSuperblock {
    try {
      loadBlock(this.scanner, block, THIN_SUPERBLOCK_VALIDATOR);
    } catch (error) {
      if (error instanceof CorruptionError)
        throw new CorruptionError(text, { ...error, block, kind: 'thin_superblock' });
      throw error;
    }
    return readThinSuperblock(this.scanner.slab, 0);
  }
}

/** Loads one block to the begin of the scanner's memory. @throws when it cannot be believed. */
export function loadBlock(scanner: BlockScanner, block: number, validator: BlockValidator): void {
  checkInside(scanner, block, validator.kind);
  scanner.loadOne(block);
  assert(scanner.base(0) === 0, 'a batch of one lies at the begin');
  const problem = scanner.problem(0, block, validator);
  if (problem !== undefined) throw problem;
}

/** @throws {CorruptionError} when a reference leads out of the device. */
export function checkInside(scanner: BlockScanner, block: number, kind: string): void {
  const { nrBlocks } = scanner.device;
  if (block < nrBlocks) return;
  throw new CorruptionError(`Cannot read ${kind} block ${block}: the device has ${nrBlocks} blocks`, { block, kind });
}

function differentDevices(): CorruptionError {
  return new CorruptionError('Cannot list devices: the tree of details has other ids than the tree of mappings', {
    kind: 'thin_superblock',
  });
}

/** The root of one device's tree. @throws {StateError} when there is none such. */
export function rootOf(image: ThinImage, id: number): number {
  const root = image.roots().get(id);
  if (root === undefined) throw new StateError(`Cannot find thin device ${id}: it is not in the pool`);
  return root;
}
