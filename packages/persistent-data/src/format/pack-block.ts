import { TWO_POW_32 } from '../base/index.ts';
import type { MetadataBlockKind } from './block-kind.ts';
import { NODE_HEADER } from './btree-node.ts';
import { METADATA_BLOCK_SIZE } from './constants.ts';

/** Instructions of the pack container: the upper half of a byte. @see docs of thin_metadata_pack, "VM" */
export const PACK_TAG = {
  set: 0,
  pos: 1,
  posW: 2,
  neg: 3,
  negW: 4,
  const: 5,
  const8: 6,
  count: 7,
  count8: 8,
  lit: 9,
  litW: 10,
  shiftedRun: 11,
} as const;

/** The most bytes that one block can take: every u64 with an instruction, a prefix and eight bytes. */
const MAX_PACKED = 2 * METADATA_BLOCK_SIZE + 1024;

/** Numbers below this are part of their instruction. */
const NIBBLE = 16;
const LOW_24 = 0xff_ffff;

/** Takes the upper or lower half of entry `index` of a sequence of u64. */
type Half = (index: number) => number;

/**
 * Packs blocks of metadata as `thin_metadata_pack` does, to the byte: a small program for each block that makes it again. Keys that rise by
 * equal steps, and mappings whose data blocks do, become a few bytes; zlib does the rest.
 *
 * One object is used for many blocks. Costs O(4096) a block.
 */
export class BlockPacker {
  #bytes = new Uint8Array(64 * 1024);
  #length = 0;

  /** What was packed since the last {@link reset}. Valid until the next call. */
  get packed(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  reset(): void {
    this.#length = 0;
  }

  /** Adds a block: its number, then its program. `words` holds the block at word offset `base`. */
  add(words: Uint32Array, base: number, block: number, kind: MetadataBlockKind): void {
    this.#reserve(MAX_PACKED);
    this.#u64(block / TWO_POW_32, block);
    const bytes = new Uint8Array(words.buffer, words.byteOffset + base * 4, METADATA_BLOCK_SIZE);
    if (kind === 'btreeNode' && hasUsualGeometry(words, base)) this.#node(words, base, bytes);
    else this.#literal(bytes);
  }

  #node(words: Uint32Array, base: number, bytes: Uint8Array): void {
    const isLeaf = words[base + NODE_HEADER.word('flags')] === 2;
    const maxEntries = words[base + NODE_HEADER.word('maxEntries')]!;
    const valueSize = words[base + NODE_HEADER.word('valueSize')]!;
    const keys = base + NODE_HEADER.size / 4;
    const values = keys + 2 * maxEntries;
    const valuesAt = NODE_HEADER.size + 8 * maxEntries;
    this.#literal(bytes.subarray(0, NODE_HEADER.size));
    this.#sequence(
      maxEntries,
      (i) => words[keys + 2 * i + 1]!,
      (i) => words[keys + 2 * i]!,
    );
    if (valueSize !== 8) {
      this.#literal(bytes.subarray(valuesAt));
      return;
    }
    const high: Half = (i) => words[values + 2 * i + 1]!;
    const low: Half = (i) => words[values + 2 * i]!;
    if (isLeaf) this.#shiftedRun(maxEntries, high, low);
    else this.#sequence(maxEntries, high, low);
    this.#literal(bytes.subarray(valuesAt + 8 * maxEntries));
  }

  /** Mappings: the data blocks as one sequence, their times as another. */
  #shiftedRun(count: number, high: Half, low: Half): void {
    this.#instruction(PACK_TAG.shiftedRun, count >>> 8);
    this.#byte(count);
    this.#sequence(
      count,
      (i) => high(i) >>> 24,
      (i) => (high(i) * 256 + (low(i) >>> 24)) >>> 0,
    );
    this.#sequence(
      count,
      () => 0,
      (i) => low(i) & LOW_24,
    );
  }

  #sequence(count: number, high: Half, low: Half): void {
    if (count === 0) return;
    let lastHigh = high(0);
    let lastLow = low(0);
    this.#wide(PACK_TAG.set, lastHigh, lastLow);
    for (let i = 1; i < count; ) {
      const nextHigh = high(i);
      const nextLow = low(i);
      const falls = nextHigh < lastHigh || (nextHigh === lastHigh && nextLow < lastLow);
      const stepLow = falls ? (lastLow - nextLow) >>> 0 : (nextLow - lastLow) >>> 0;
      const borrow = falls ? lastLow < nextLow : nextLow < lastLow;
      const stepHigh = (falls ? lastHigh - nextHigh : nextHigh - lastHigh) - (borrow ? 1 : 0);
      let run = 0;
      do {
        lastHigh = high(i);
        lastLow = low(i);
        i++;
        run++;
      } while (i < count && isStep({ lastHigh, lastLow, stepHigh, stepLow, falls }, high(i), low(i)));
      this.#steps(run, { stepHigh, stepLow, falls });
    }
  }

  /** `run` times the same difference. */
  #steps(run: number, { stepHigh, stepLow, falls }: Pick<Step, 'stepHigh' | 'stepLow' | 'falls'>): void {
    if (stepHigh === 0 && stepLow === 0) {
      this.#counted(PACK_TAG.const, PACK_TAG.const8, run);
      return;
    }
    if (run > 1) this.#counted(PACK_TAG.count, PACK_TAG.count8, run);
    if (stepHigh === 0 && stepLow < NIBBLE) this.#instruction(falls ? PACK_TAG.neg : PACK_TAG.pos, stepLow);
    else this.#wide(falls ? PACK_TAG.negW : PACK_TAG.posW, stepHigh, stepLow);
  }

  #counted(short: number, long: number, count: number): void {
    if (count < NIBBLE) {
      this.#instruction(short, count);
      return;
    }
    this.#instruction(long, count >>> 8);
    this.#byte(count);
  }

  /** An instruction with a number of as few bytes as hold it. */
  #wide(tag: number, high: number, low: number): void {
    if (high !== 0) {
      this.#instruction(tag, 8);
      this.#u64(high, low);
      return;
    }
    const width = low < 0x100 ? 1 : low < 0x1_0000 ? 2 : 4;
    this.#instruction(tag, width);
    for (let i = 0; i < width; i++) this.#byte(low >>> (8 * i));
  }

  #literal(bytes: Uint8Array): void {
    if (bytes.length < NIBBLE) this.#instruction(PACK_TAG.lit, bytes.length);
    else this.#wide(PACK_TAG.litW, 0, bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #instruction(tag: number, nibble: number): void {
    this.#bytes[this.#length++] = (tag << 4) | nibble;
  }

  #u64(high: number, low: number): void {
    for (let i = 0; i < 4; i++) this.#byte(low >>> (8 * i));
    for (let i = 0; i < 4; i++) this.#byte(high >>> (8 * i));
  }

  #byte(value: number): void {
    this.#bytes[this.#length++] = value;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * this.#bytes.length + count);
    larger.set(this.packed);
    this.#bytes = larger;
  }
}

interface Step {
  readonly lastHigh: number;
  readonly lastLow: number;
  readonly stepHigh: number;
  readonly stepLow: number;
  readonly falls: boolean;
}

/** Whether the next number is one step further. A step never wraps: it rises or falls. */
function isStep({ lastHigh, lastLow, stepHigh, stepLow, falls }: Step, high: number, low: number): boolean {
  if (falls) {
    const sum = low + stepLow;
    return sum >>> 0 === lastLow && high + stepHigh + (sum >= TWO_POW_32 ? 1 : 0) === lastHigh;
  }
  const sum = lastLow + stepLow;
  return sum >>> 0 === low && lastHigh + stepHigh + (sum >= TWO_POW_32 ? 1 : 0) === high;
}

/** A checksum says that it is a node; whether keys and values lie inside the block, its fields say. */
function hasUsualGeometry(words: Uint32Array, base: number): boolean {
  const maxEntries = words[base + NODE_HEADER.word('maxEntries')]!;
  const valueSize = words[base + NODE_HEADER.word('valueSize')]!;
  if (maxEntries === 0) return false;
  return NODE_HEADER.size + maxEntries * (8 + valueSize) <= METADATA_BLOCK_SIZE;
}
