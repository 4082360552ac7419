import { ReadOnlyError, Slab } from '../base/index.ts';
import {
  METADATA_BLOCK_SIZE,
  maxEntriesFor,
  NODE_FLAG_INTERNAL,
  NODE_FLAG_LEAF,
  NODE_VALIDATOR,
  NodeView,
  SUPERBLOCK_LOCATION,
  THIN_SUPERBLOCK_VALIDATOR,
  WORDS_PER_BLOCK,
} from '../format/index.ts';
import { type BlockDevice, checkRun } from '../io/index.ts';
import { DEVICE_DETAILS_TYPE, type DeviceDetails } from './device-details.ts';
import { type ThinSuperblock, writeCommittedFields, writeFixedFields } from './superblock.ts';

/** What the superblock of a {@link RootedDevice} says; everything else in it is as after a format. */
export interface RootedSuperblock {
  readonly time: number;
  readonly transactionId: ThinSuperblock['transactionId'];
  readonly dataMappingRoot: number;
  /** Default: the root of the details that are given. */
  readonly deviceDetailsRoot?: number;
  readonly dataBlockSizeSectors: number;
  readonly nrDataBlocks: number;
}

/**
 * A device as it would be with another superblock, and on demand with a tree of details that is nowhere on it: what a repair, or a look at older roots,
 * reads. Read-only; the device below is not changed. The blocks of the made-up tree follow the last block of the device. It has no space maps.
 */
export class RootedDevice implements BlockDevice {
  readonly readOnly = true;
  readonly nrBlocks: number;
  /** Root of the details. */
  readonly detailsRoot: number;
  readonly #device: BlockDevice;
  readonly #superblock: Uint8Array;
  /** The blocks behind the end of the device. */
  readonly #extra: readonly Uint8Array[];

  constructor(device: BlockDevice, superblock: RootedSuperblock, details?: ReadonlyMap<number, DeviceDetails>) {
    this.#device = device;
    const { root, blocks } =
      details === undefined
        ? { root: superblock.deviceDetailsRoot ?? 0, blocks: [] }
        : makeTree(details, device.nrBlocks);
    this.detailsRoot = superblock.deviceDetailsRoot ?? root;
    this.#extra = blocks;
    this.nrBlocks = device.nrBlocks + blocks.length;
    this.#superblock = makeSuperblock({ ...superblock, deviceDetailsRoot: this.detailsRoot }, this.nrBlocks);
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    checkRun('read', begin, buffers, this.nrBlocks);
    let block = begin;
    for (const buffer of buffers) {
      const count = buffer.length / METADATA_BLOCK_SIZE;
      const inside = Math.max(0, Math.min(count, this.#device.nrBlocks - block));
      if (inside > 0) this.#device.read(block, [buffer.subarray(0, inside * METADATA_BLOCK_SIZE)]);
      for (let i = inside; i < count; i++) {
        buffer.set(this.#extra[block + i - this.#device.nrBlocks]!, i * METADATA_BLOCK_SIZE);
      }
      if (block === SUPERBLOCK_LOCATION && count > 0) buffer.set(this.#superblock);
      block += count;
    }
  }

  write(): void {
    throw new ReadOnlyError('Cannot write: the device shows older roots, it is read-only');
  }

  flush(): void {}

  close(): void {}
}

function makeSuperblock(fields: Required<RootedSuperblock>, nrBlocks: number): Uint8Array {
  const slab = Slab.ofSize(METADATA_BLOCK_SIZE);
  writeFixedFields(slab, 0, fields.dataBlockSizeSectors, nrBlocks);
  const none = { nrBlocks: 0, nrAllocated: 0, bitmapRoot: 0, refCountRoot: 0 };
  writeCommittedFields(slab, 0, {
    flags: 0,
    time: fields.time,
    transactionId: fields.transactionId,
    heldRoot: 0,
    dataSpaceMapRoot: { ...none, nrBlocks: fields.nrDataBlocks },
    metadataSpaceMapRoot: { ...none, nrBlocks, nrAllocated: nrBlocks },
    dataMappingRoot: fields.dataMappingRoot,
    deviceDetailsRoot: fields.deviceDetailsRoot,
  });
  THIN_SUPERBLOCK_VALIDATOR.seal(slab, 0, SUPERBLOCK_LOCATION);
  return slab.bytes;
}

/** Entries of a node, as they are written. */
interface NodeEntries {
  readonly keys: readonly number[];
  readonly write: (node: NodeView, index: number) => void;
}

/** A tree of details in as many levels as it takes, in blocks numbered from `firstBlock` on. */
function makeTree(
  details: ReadonlyMap<number, DeviceDetails>,
  firstBlock: number,
): { root: number; blocks: Uint8Array[] } {
  const blocks: Uint8Array[] = [];
  const emit = (flags: number, valueSize: number, { keys, write }: NodeEntries): number => {
    const slab = Slab.ofSize(WORDS_PER_BLOCK * 4);
    const node = new NodeView(slab, 0);
    node.setHeader(flags, keys.length, valueSize);
    keys.forEach((key, i) => {
      node.setKey(i, 0, key);
      write(node, i);
    });
    const block = firstBlock + blocks.length;
    NODE_VALIDATOR.seal(slab, 0, block);
    blocks.push(slab.bytes);
    return block;
  };
  const ids = [...details.keys()].sort((a, b) => a - b);
  const { size } = DEVICE_DETAILS_TYPE;
  let level = pieces(ids, maxEntriesFor(size)).map((keys) => {
    const write = (node: NodeView, i: number) =>
      DEVICE_DETAILS_TYPE.write(node.slab, node.valueAt(i), details.get(keys[i]!)!);
    return { key: keys[0] ?? 0, block: emit(NODE_FLAG_LEAF, size, { keys, write }) };
  });
  while (level.length > 1) {
    level = pieces(level, maxEntriesFor(8)).map((children) => {
      const keys = children.map(({ key }) => key);
      const write = (node: NodeView, i: number) => node.setChild(i, children[i]!.block);
      return { key: keys[0]!, block: emit(NODE_FLAG_INTERNAL, 8, { keys, write }) };
    });
  }
  return { root: level[0]!.block, blocks };
}

/** A list in pieces of at most `max`; one empty piece of an empty list. */
function pieces<T>(list: readonly T[], max: number): T[][] {
  const nr = Math.max(1, Math.ceil(list.length / max));
  return Array.from({ length: nr }, (_, i) =>
    list.slice(Math.floor((i * list.length) / nr), Math.floor(((i + 1) * list.length) / nr)),
  );
}
