import { CorruptionError } from '../base/index.ts';
import { METADATA_BLOCK_SIZE } from './constants.ts';
import { PACK_TAG } from './pack-block.ts';

/** Entries of the largest run that fits into a block. */
const MAX_RUN = METADATA_BLOCK_SIZE / 8;

/**
 * Runs the programs of packed blocks. Made for input that cannot be trusted: never leaves its input or the block, and each instruction
 * makes progress, so that it ends.
 */
export class BlockUnpacker {
  readonly #source: Uint8Array;
  #at = 0;
  /** The register, in two halves. */
  #high = 0;
  #low = 0;
  #target: Uint32Array;
  /** Words written so far. */
  #written = 0;
  #end = 0;
  /** Inside a shifted run. */
  #isNested = false;

  /** @param source - What the packer wrote, inflated. */
  constructor(source: Uint8Array) {
    this.#source = source;
    this.#target = new Uint32Array(0);
  }

  /** Whether everything was unpacked. */
  get atEnd(): boolean {
    return this.#at === this.#source.length;
  }

  /** Unpacks the next block into `target`, of 1024 words, and answers its number. @throws {CorruptionError} when it cannot be. */
  next(target: Uint32Array): number {
    this.#need(8);
    const block = this.#number(4) + this.#number(4) * 0x1_0000_0000;
    this.#high = 0;
    this.#low = 0;
    this.#run(target, METADATA_BLOCK_SIZE / 4);
    return block;
  }

  /** Executes instructions until `nrWords` words of `target` are made. */
  #run(target: Uint32Array, nrWords: number): void {
    this.#target = target;
    this.#written = 0;
    this.#end = nrWords;
    while (this.#written < nrWords) this.#step();
  }

  #step(): void {
    const code = this.#byte();
    const nibble = code & 15;
    switch (code >>> 4) {
      case PACK_TAG.const:
        this.#emitted(nibble);
        return;
      case PACK_TAG.const8:
        this.#emitted((nibble << 8) | this.#byte());
        return;
      case PACK_TAG.count:
        this.#change(this.#byte(), nibble);
        return;
      case PACK_TAG.count8: {
        const count = (nibble << 8) | this.#byte();
        this.#change(this.#byte(), count);
        return;
      }
      case PACK_TAG.lit:
        this.#literal(nibble);
        return;
      case PACK_TAG.litW: {
        const { high, low } = this.#operand(nibble);
        if (high !== 0) this.#fail('a literal is longer than the block');
        this.#literal(low);
        return;
      }
      case PACK_TAG.shiftedRun:
        this.#shiftedRun((nibble << 8) | this.#byte());
        return;
      default:
        this.#change(code, 1);
    }
  }

  /** An instruction that changes the register and emits it, `count` times. */
  #change(code: number, count: number): void {
    const nibble = code & 15;
    const tag = code >>> 4;
    const isWide = tag === PACK_TAG.set || tag === PACK_TAG.posW || tag === PACK_TAG.negW;
    const { high, low } = isWide ? this.#operand(nibble) : { high: 0, low: nibble };
    if (count === 0) return;
    this.#room(2 * count);
    for (let i = 0; i < count; i++) {
      if (tag === PACK_TAG.set) {
        this.#high = high;
        this.#low = low;
      } else if (tag === PACK_TAG.pos || tag === PACK_TAG.posW) {
        const sum = this.#low + low;
        this.#low = sum >>> 0;
        this.#high = (this.#high + high + (sum >= 0x1_0000_0000 ? 1 : 0)) >>> 0;
      } else if (tag === PACK_TAG.neg || tag === PACK_TAG.negW) {
        const difference = this.#low - low;
        this.#low = difference >>> 0;
        this.#high = (this.#high - high - (difference < 0 ? 1 : 0)) >>> 0;
      } else this.#fail(`instruction ${code} is unknown, or cannot be repeated`);
      this.#put();
    }
  }

  /** The register again, `count` times. */
  #emitted(count: number): void {
    this.#room(2 * count);
    for (let i = 0; i < count; i++) this.#put();
  }

  #put(): void {
    this.#target[this.#written++] = this.#low;
    this.#target[this.#written++] = this.#high;
  }

  #literal(length: number): void {
    this.#need(length);
    if (length % 4 !== 0) this.#fail(`a literal has ${length} bytes, a multiple of 4 is wanted`);
    this.#room(length / 4);
    for (let i = 0; i < length / 4; i++) this.#target[this.#written++] = this.#number(4);
  }

  /** Two nested runs, of data blocks and of times, that make one of mappings. */
  #shiftedRun(count: number): void {
    if (count > MAX_RUN) this.#fail(`a run has ${count} entries`);
    this.#room(2 * count);
    const target = this.#target;
    const written = this.#written;
    const end = this.#end;
    if (this.#isNested) this.#fail('a run is inside a run');
    const highs = new Uint32Array(2 * count);
    const lows = new Uint32Array(2 * count);
    this.#isNested = true;
    this.#run(highs, 2 * count);
    this.#run(lows, 2 * count);
    this.#isNested = false;
    for (let i = 0; i < count; i++) {
      target[written + 2 * i] = ((highs[2 * i]! << 24) | (lows[2 * i]! & 0xff_ffff)) >>> 0;
      target[written + 2 * i + 1] = ((highs[2 * i + 1]! << 24) | (highs[2 * i]! >>> 8)) >>> 0;
    }
    this.#target = target;
    this.#written = written + 2 * count;
    this.#end = end;
  }

  #operand(width: number): { high: number; low: number } {
    if (width !== 1 && width !== 2 && width !== 4 && width !== 8) this.#fail(`a number has ${width} bytes`);
    this.#need(width);
    if (width < 8) return { high: 0, low: this.#number(width) };
    const low = this.#number(4);
    return { high: this.#number(4), low };
  }

  #number(width: number): number {
    let value = 0;
    for (let i = 0; i < width; i++) value += this.#source[this.#at++]! * 2 ** (8 * i);
    return value;
  }

  #byte(): number {
    this.#need(1);
    return this.#source[this.#at++]!;
  }

  #need(count: number): void {
    if (this.#at + count > this.#source.length) this.#fail('it ends inside a block');
  }

  #room(nrWords: number): void {
    if (this.#written + nrWords > this.#end) this.#fail('more comes out than fits');
  }

  #fail(why: string): never {
    throw new CorruptionError(`Cannot unpack: ${why} (at byte ${this.#at} of a chunk)`, { kind: 'pack' });
  }
}
