/** Mutations of metadata images that keep every checksum good: what they hold is then believed, and is anything. */

import { Slab } from 'persistent-data/base';
import {
  BITMAP_VALIDATOR,
  type BlockValidator,
  blockChecksum,
  METADATA_INDEX_VALIDATOR,
  NODE_VALIDATOR,
  SALT,
  THIN_SUPERBLOCK_VALIDATOR,
} from 'persistent-data/format';
import type { MemoryDevice } from 'persistent-data/io';
import type { Random } from 'persistent-data/testing';

const BLOCK_SIZE = 4096;

/** Kinds of blocks, and which of their 32-bit words matter most: headers, roots, counts, first entries. */
const KINDS: readonly {
  readonly salt: number;
  readonly validator: BlockValidator;
  readonly words: readonly number[];
}[] = [
  {
    salt: SALT.btreeNode,
    validator: NODE_VALIDATOR,
    // Flags, counts, sizes; the first keys; the first values of 4, 8, 16 and 24 bytes.
    words: [1, 4, 4, 5, 6, 8, 9, 10, 12, 680, 681, 512, 513, 514, 516, 344, 345, 346, 347, 260, 261, 264],
  },
  { salt: SALT.bitmap, validator: BITMAP_VALIDATOR, words: [4, 5, 6, 7, 8, 1023] },
  { salt: SALT.metadataIndex, validator: METADATA_INDEX_VALIDATOR, words: [4, 5, 6, 7, 8, 9, 10] },
  {
    salt: SALT.thinSuperblock,
    validator: THIN_SUPERBLOCK_VALIDATOR,
    words: [1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 48, 49, 50, 52, 53, 54, 80, 81, 82, 83, 84, 86, 88],
  },
];

/** A whole block of a known kind. */
interface KnownBlock {
  readonly block: number;
  readonly kind: (typeof KINDS)[number];
}

/** An image with what its blocks are, as their checksums tell. */
export class MutableImage {
  readonly name: string;
  readonly #device: MemoryDevice;
  readonly #blocks: readonly KnownBlock[];

  constructor(name: string, device: MemoryDevice) {
    this.name = name;
    this.#device = device;
    this.#blocks = knownBlocks(device);
  }

  /** A copy with some words changed, and all checksums good. */
  mutate(random: Random): MemoryDevice {
    const device = this.#device.fork();
    const nrBlocks = random.pick([1, 1, 1, 2, 4, 10]);
    for (let i = 0; i < nrBlocks; i++) {
      // The superblock and the few index blocks as often as the many nodes.
      const kind = random.pick(KINDS);
      const ofKind = this.#blocks.filter((known) => known.kind === kind);
      const { block, kind: found } = random.pick(ofKind.length > 0 ? ofKind : this.#blocks);
      const slab = load(device, block);
      if (random.chance(0.15)) this.#copyOver(slab, random);
      else changeWords(slab, found.words, device.nrBlocks, random);
      found.validator.seal(slab, 0, block);
      device.write(block, [slab.bytes]);
    }
    return device;
  }

  /** Gives a block the content of another one, of its own kind or not. */
  #copyOver(slab: Slab, random: Random): void {
    const other = load(this.#device, random.pick(this.#blocks).block);
    const from = random.chance(0.5) ? 1 : random.below(1024);
    const to = random.chance(0.5) ? 1024 : random.between(from, 1024);
    slab.words.set(other.words.subarray(from, to), from);
  }
}

function load(device: MemoryDevice, block: number): Slab {
  const slab = Slab.ofSize(BLOCK_SIZE);
  device.read(block, [slab.bytes]);
  return slab;
}

function knownBlocks(device: MemoryDevice): KnownBlock[] {
  const found: KnownBlock[] = [];
  for (let block = 0; block < device.nrBlocks; block++) {
    const { words } = load(device, block);
    const kind = KINDS.find(({ salt }) => words[0] === blockChecksum(words, 0, salt));
    if (kind !== undefined) found.push({ block, kind });
  }
  return found;
}

function changeWords({ words }: Slab, hot: readonly number[], nrBlocks: number, random: Random): void {
  for (let count = random.pick([1, 1, 2, 3, 8, 40]); count > 0; count--) {
    const at = random.chance(0.7) ? random.pick(hot) : random.between(1, 1024);
    words[at] = random.pick([
      () => 0,
      () => random.below(4),
      () => random.below(nrBlocks + 2),
      () => words[at]! + 1,
      () => words[at]! - 1,
      () => words[at]! ^ (1 << random.below(32)),
      () => words[random.between(1, 1024)]!,
      () => 0xffff_ffff,
      () => random.uint32(),
    ])();
  }
}
