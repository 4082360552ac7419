import { assert, Slab } from '../base/index.ts';
import { readU64 } from '../btree/index.ts';
import { type CacheSuperblock, readCacheSuperblock } from '../cache/index.ts';
import {
  ARRAY_VALIDATOR,
  ArrayBlockView,
  BITMAP_VALIDATOR,
  type BlockValidator,
  CACHE_SUPERBLOCK,
  CACHE_SUPERBLOCK_VALIDATOR,
  METADATA_BLOCK_SIZE,
  METADATA_INDEX,
  METADATA_INDEX_VALIDATOR,
  NODE_VALIDATOR,
  NodeView,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';

/** The arrays of a cache, by the field with their root. */
export type CacheRootField = 'mappingRoot' | 'hintRoot' | 'discardRoot' | 'dirtyRoot';

/** One block in memory, to be looked at and changed. */
export class CacheBlock {
  readonly slab = Slab.ofSize(METADATA_BLOCK_SIZE);
  readonly block: number;
  readonly validator: BlockValidator;
  readonly #device: BlockDevice;

  constructor(device: BlockDevice, block: number, validator: BlockValidator) {
    this.#device = device;
    this.block = block;
    this.validator = validator;
    device.read(block, [this.slab.bytes]);
  }

  get array(): ArrayBlockView {
    return new ArrayBlockView(this.slab);
  }

  /** Writes it with a right checksum. */
  write(): void {
    this.validator.seal(this.slab, 0, this.block);
    this.writeRaw();
  }

  writeRaw(): void {
    this.#device.write(this.block, [this.slab.bytes]);
  }
}

/** The sound metadata of a cache, that damage is done to: finds blocks by what they are. */
export class CachePatient {
  readonly device: BlockDevice;
  readonly superblock: CacheSuperblock;
  readonly #sound: BlockDevice;

  /** @param sound - Sound metadata. @param device - Changes go there; a copy that may be damaged already. Default: the same. */
  constructor(sound: BlockDevice, device: BlockDevice = sound) {
    this.#sound = sound;
    this.device = device;
    const { slab } = new CacheBlock(sound, 0, CACHE_SUPERBLOCK_VALIDATOR);
    CACHE_SUPERBLOCK_VALIDATOR.check(slab, 0, 0);
    this.superblock = readCacheSuperblock(slab, 0);
  }

  open(block: number, validator: BlockValidator): CacheBlock {
    return new CacheBlock(this.device, block, validator);
  }

  arrayBlock(block: number): CacheBlock {
    return this.open(block, ARRAY_VALIDATOR);
  }

  node(block: number): CacheBlock {
    return this.open(block, NODE_VALIDATOR);
  }

  /** Changes a field of the superblock. @param size - Words of it. */
  changeSuperblock(field: Parameters<typeof CACHE_SUPERBLOCK.word>[0], change: (words: Uint32Array) => void): void {
    const superblock = this.open(0, CACHE_SUPERBLOCK_VALIDATOR);
    change(superblock.slab.words.subarray(CACHE_SUPERBLOCK.word(field)));
    superblock.write();
  }

  /** The nodes of an array's tree. */
  nodes(field: CacheRootField): number[] {
    const root = this.superblock[field];
    return root === 0 ? [] : [...this.#below(root)].filter(({ isNode }) => isNode).map(({ block }) => block);
  }

  /** The blocks of an array, in order. */
  arrayBlocks(field: CacheRootField): number[] {
    const root = this.superblock[field];
    return root === 0 ? [] : [...this.#below(root)].filter(({ isNode }) => !isNode).map(({ block }) => block);
  }

  /** The first bitmap of the metadata space map. */
  bitmap(): CacheBlock {
    const index = this.open(this.superblock.metadataSpaceMapRoot.bitmapRoot, METADATA_INDEX_VALIDATOR);
    return this.open(readU64(index.slab, METADATA_INDEX.offset('index')), BITMAP_VALIDATOR);
  }

  *#below(block: number): Generator<{ block: number; isNode: boolean }> {
    const { slab } = new CacheBlock(this.#sound, block, NODE_VALIDATOR);
    NODE_VALIDATOR.check(slab, 0, block);
    const node = new NodeView(slab);
    yield { block, isNode: true };
    for (let i = 0; i < node.nrEntries; i++) {
      const child = node.isLeaf ? readU64(slab, node.valueAt(i)) : node.childAt(i);
      assert(child < this.device.nrBlocks, 'the cache is sound');
      if (node.isLeaf) yield { block: child, isNode: false };
      else yield* this.#below(child);
    }
  }
}
