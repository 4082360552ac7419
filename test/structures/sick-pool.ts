/**
 * Pools for tests of what looks at metadata from outside, and the means to damage them: a field is changed and the block sealed again, so
 * that only a look at the meaning finds it.
 */

import { Slab } from '../../packages/persistent-data/src/base/index.ts';
import {
  BITMAP_VALIDATOR,
  type BlockValidator,
  blockChecksum,
  INDEX_ENTRY,
  METADATA_INDEX,
  NODE_VALIDATOR,
  NodeView,
  readSpaceMapRoot,
  type SpaceMapRoot,
  setBitmapCount,
  THIN_SUPERBLOCK,
  THIN_SUPERBLOCK_VALIDATOR,
} from '../../packages/persistent-data/src/format/index.ts';
import { BLOCK_SIZE, type MemoryDevice } from '../../packages/persistent-data/src/io/index.ts';

/** Where fields of nodes are, in bytes. */
export const NODE = { flags: 4, blocknr: 8, nrEntries: 16, maxEntries: 20, valueSize: 24, keys: 32 } as const;

/** A device under the knife. */
export class SickPool {
  readonly device: MemoryDevice;
  readonly slab = Slab.ofSize(BLOCK_SIZE);
  readonly #node = new NodeView(this.slab);

  constructor(device: MemoryDevice) {
    this.device = device;
  }

  /** Reads a block into {@link slab}. */
  read(block: number): DataView {
    this.device.read(block, [this.slab.bytes]);
    return this.slab.view;
  }

  /** Changes a block; its checksum will be what the kind of block wants. */
  edit(block: number, change: (view: DataView) => void): void {
    const view = this.read(block);
    const salt = this.slab.words[0]! ^ blockChecksum(this.slab.words, 0, 0);
    change(view);
    this.slab.words[0] = blockChecksum(this.slab.words, 0, salt);
    this.device.write(block, [this.slab.bytes]);
  }

  /** Changes a block and its meaning for good: seals it as `validator` does, in its own place. */
  reseal(block: number, validator: BlockValidator, change: (view: DataView) => void): void {
    change(this.read(block));
    validator.seal(this.slab, 0, block);
    this.device.write(block, [this.slab.bytes]);
  }

  /** Flips a bit, so that the checksum is wrong. */
  spoil(block: number, offset = 3000): void {
    const view = this.read(block);
    view.setUint8(offset, view.getUint8(offset) ^ 1);
    this.device.write(block, [this.slab.bytes]);
  }

  superblockField(name: Parameters<typeof THIN_SUPERBLOCK.offset>[0]): number {
    return Number(this.read(0).getBigUint64(THIN_SUPERBLOCK.offset(name), true));
  }

  setSuperblock(change: (view: DataView) => void): void {
    this.reseal(0, THIN_SUPERBLOCK_VALIDATOR, change);
  }

  get mappingRoot(): number {
    return this.superblockField('dataMappingRoot');
  }

  get detailsRoot(): number {
    return this.superblockField('deviceDetailsRoot');
  }

  spaceMap(space: 'data' | 'metadata'): SpaceMapRoot {
    this.read(0);
    const field = space === 'data' ? 'dataSpaceMapRoot' : 'metadataSpaceMapRoot';
    return readSpaceMapRoot(this.slab.words, THIN_SUPERBLOCK.word(field));
  }

  /** The first bitmap of a space map. */
  bitmap(space: 'data' | 'metadata'): number {
    const { bitmapRoot } = this.spaceMap(space);
    const view = this.read(bitmapRoot);
    const at = space === 'metadata' ? METADATA_INDEX.offset('index') : this.#at(bitmapRoot).valueAt(0);
    return Number(view.getBigUint64(at + INDEX_ENTRY.offset('blocknr'), true));
  }

  /** Sets the count field of a block below 16320: 0 to 3. */
  setCount(space: 'data' | 'metadata', block: number, count: number): void {
    this.reseal(this.bitmap(space), BITMAP_VALIDATOR, () => setBitmapCount(this.slab.words, 0, block, count));
  }

  /** The values of a node as block numbers. */
  children(block: number): number[] {
    const node = this.#at(block);
    return Array.from({ length: node.nrEntries }, (_, i) => node.childAt(i));
  }

  keys(block: number): number[] {
    const node = this.#at(block);
    return Array.from({ length: node.nrEntries }, (_, i) => node.keyAt(i));
  }

  /** The root of a device's mapping tree, by the device's place in a top level of one leaf. */
  deviceRoot(index: number): number {
    return this.children(this.mappingRoot)[index]!;
  }

  setKey(block: number, index: number, key: number): void {
    this.reseal(block, NODE_VALIDATOR, (view) => view.setBigUint64(NODE.keys + 8 * index, BigInt(key), true));
  }

  /** Sets a value of 8 bytes. */
  setValue(block: number, index: number, value: number | bigint): void {
    const at = this.#at(block).valueAt(index);
    this.reseal(block, NODE_VALIDATOR, (view) => view.setBigUint64(at, BigInt(value), true));
  }

  setField(block: number, field: keyof typeof NODE, value: number): void {
    this.edit(block, (view) => view.setUint32(NODE[field], value, true));
  }

  #at(block: number): NodeView {
    this.read(block);
    return this.#node;
  }
}
