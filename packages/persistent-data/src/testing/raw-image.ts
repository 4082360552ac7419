import { Slab } from '../base/index.ts';
import { blockChecksum, METADATA_BLOCK_SIZE, SALT, WORDS_PER_BLOCK } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';

/** What a metadata block is used as. */
export type BlockUse = 'superblock' | 'eraSuperblock' | 'node' | 'array' | 'bitmap' | 'index';

interface Sealing {
  readonly salt: number;
  /** Word of the block's own number. */
  readonly blocknrWord: number;
}

const SEALING: Record<BlockUse, Sealing> = {
  superblock: { salt: SALT.thinSuperblock, blocknrWord: 2 },
  eraSuperblock: { salt: SALT.eraSuperblock, blocknrWord: 2 },
  array: { salt: SALT.arrayBlock, blocknrWord: 4 },
  node: { salt: SALT.btreeNode, blocknrWord: 2 },
  bitmap: { salt: SALT.bitmap, blocknrWord: 2 },
  index: { salt: SALT.metadataIndex, blocknrWord: 2 },
};

const TWO_POW_32 = 0x1_0000_0000;

/**
 * A metadata device's blocks as plain words, for looking and for damage: no cache, no validator, nothing that the code under test does.
 * Blocks are read when they are first asked for.
 */
export class RawImage {
  readonly nrBlocks: number;
  readonly words: Uint32Array;
  readonly view: DataView;
  readonly #slab: Slab;
  readonly #device: BlockDevice;
  readonly #loaded: Uint8Array;

  constructor(device: BlockDevice) {
    this.#device = device;
    this.nrBlocks = device.nrBlocks;
    this.#slab = Slab.ofSize(device.nrBlocks * METADATA_BLOCK_SIZE);
    this.words = this.#slab.words;
    this.view = this.#slab.view;
    this.#loaded = new Uint8Array(device.nrBlocks);
  }

  has(block: number): boolean {
    return Number.isInteger(block) && block >= 0 && block < this.nrBlocks;
  }

  /** The word offset of a block that the device has; its bytes are in {@link words} from now on. */
  load(block: number): number {
    if (this.#loaded[block] === 0) {
      this.#loaded[block] = 1;
      const begin = block * METADATA_BLOCK_SIZE;
      this.#device.read(block, [this.#slab.bytes.subarray(begin, begin + METADATA_BLOCK_SIZE)]);
    }
    return block * WORDS_PER_BLOCK;
  }

  /** Forgets what was changed in a block: it is read again when it is next asked for. */
  forget(block: number): void {
    this.#loaded[block] = 0;
  }

  /** The bytes of one block, in place. */
  bytesOf(block: number): Uint8Array {
    this.load(block);
    return this.#slab.bytes.subarray(block * METADATA_BLOCK_SIZE, (block + 1) * METADATA_BLOCK_SIZE);
  }

  u32(base: number, word: number): number {
    return this.words[base + word] as number;
  }

  /** Rounded beyond 2^53. */
  u64(base: number, word: number): number {
    return (this.words[base + word + 1] as number) * TWO_POW_32 + (this.words[base + word] as number);
  }

  setU64(base: number, word: number, value: number): void {
    this.words[base + word] = value >>> 0;
    this.words[base + word + 1] = value / TWO_POW_32;
  }

  /** What is wrong with the seal of a block; `undefined` when it is good. */
  sealProblem(block: number, use: BlockUse): string | undefined {
    const base = this.load(block);
    const { salt, blocknrWord } = SEALING[use];
    if (this.u64(base, blocknrWord) !== block) return `its number is ${this.u64(base, blocknrWord)}`;
    return this.words[base] === blockChecksum(this.words, base, salt) ? undefined : 'its checksum is wrong';
  }

  /** Writes number and checksum of a block as its use wants them: after this nobody can tell that it was changed. */
  seal(block: number, use: BlockUse): void {
    const base = this.load(block);
    const { salt, blocknrWord } = SEALING[use];
    this.setU64(base, blocknrWord, block);
    this.words[base] = blockChecksum(this.words, base, salt);
  }

  /** Puts a block, as it is here, onto a device. */
  store(block: number, device: BlockDevice): void {
    device.write(block, [this.bytesOf(block)]);
  }
}
