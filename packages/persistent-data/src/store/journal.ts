import { assert, Slab } from '../base/index.ts';
import {
  crc32cWords,
  JOURNAL_HEADER,
  JOURNAL_KIND,
  JOURNAL_MAGIC,
  METADATA_BLOCK_SIZE,
  PROOF_ENTRY,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';

const HEADER_BYTES = JOURNAL_HEADER.size;
const HEADER_WORDS = HEADER_BYTES / 4;
const MAGIC = JOURNAL_HEADER.word('magic');
const GENERATION = JOURNAL_HEADER.word('generation');
const SEQUENCE = JOURNAL_HEADER.word('sequence');
const KIND = JOURNAL_HEADER.word('kind');
const LENGTH = JOURNAL_HEADER.word('length');
const PREVIOUS = JOURNAL_HEADER.word('previous');
const TWO_POW_32 = 0x1_0000_0000;

/** Blocks by which the operations of one journal may make arrays and bitsets longer (16 MiB): an operation of a few words could take hours to replay. */
export const MAX_GROWN_BLOCKS = 4096;

/** A record that was read and believed. */
interface JournalRecord {
  readonly kind: number;
  /** Byte offsets in the journal's memory: where the record begins, and where the next one would. */
  readonly begin: number;
  readonly end: number;
}

function alignToBlock(bytes: number): number {
  return Math.ceil(bytes / METADATA_BLOCK_SIZE) * METADATA_BLOCK_SIZE;
}

/** Bytes that the proof of `nrEntries` blocks takes at the beginning of an area: whole blocks. */
export function proofBytes(nrEntries: number): number {
  return nrEntries === 0 ? 0 : alignToBlock(HEADER_BYTES + nrEntries * PROOF_ENTRY.size);
}

/**
 * The journal area of one generation, in memory as it is on the disk: first the proof of the checkpoint (if it needs one), then redo records,
 * one after the other, and behind them the operations of the running transaction, where they will lie when they are committed.
 *
 * - A record is believed if its checksum is right, it is of this generation, it has the next sequence number, and it names the checksum of the
 *   record before it: so what an earlier life of this area left behind is never taken for a continuation.
 * - A commit writes the blocks that the new record touches, with one call. The first of them may hold earlier records: they are written again
 *   with the same bytes, and sectors are whole, so no tear can hurt them.
 */
export class Journal {
  readonly generation: number;
  /** First block of the area, and its length in blocks. */
  readonly begin: number;
  readonly nrBlocks: number;
  /** Operations of the running transaction are dropped when they are too many: its commit is a checkpoint. */
  overflowed = false;
  /** Kind of the record after the last one that {@link load} has taken: all about it is right, and yet it is no redo record. */
  strangeKind: number | undefined;
  #slab: Slab;
  /** Byte where the next record's header goes: the end of what is committed. */
  #tail: number;
  /** Byte after the last operation of the running transaction. */
  #end: number;
  #limit = 0;
  #sequence: number;
  #previous: number;
  #grownBlocks = 0;

  constructor(generation: number, begin: number, nrBlocks: number) {
    this.generation = generation;
    this.begin = begin;
    this.nrBlocks = nrBlocks;
    this.#slab = Slab.ofSize(Math.min(16, nrBlocks) * METADATA_BLOCK_SIZE);
    this.#tail = 0;
    this.#end = HEADER_BYTES;
    // Without a proof the first record has nothing to name.
    this.#sequence = 1;
    this.#previous = 0;
    this.#setLimit();
  }

  /** The memory; replaced when it grows. Operations are read and written in it as words. */
  get slab(): Slab {
    return this.#slab;
  }

  /** Bytes of the area that are in use. */
  get usedBytes(): number {
    return this.#tail;
  }

  /** Whether something was committed since the checkpoint. */
  get hasRecords(): boolean {
    return this.#sequence > 1;
  }

  /** Whether the running transaction has operations. */
  get isOpen(): boolean {
    return this.overflowed || this.#end > this.#tail + HEADER_BYTES;
  }

  /** Word offset after the last operation: what {@link rewind} goes back to. */
  get mark(): number {
    return this.#end >>> 2;
  }

  /**
   * Makes room for `words` 32-bit words of operations, and answers the word offset; -1 when there are too many in this transaction.
   * Memory grows by doubling.
   */
  append(words: number): number {
    const at = this.#end;
    const end = at + 4 * words;
    if (this.overflowed || end > this.#limit) {
      this.overflowed = true;
      return -1;
    }
    if (end > this.#slab.bytes.length) this.#grow(end);
    this.#end = end;
    return at >>> 2;
  }

  /**
   * Counts blocks by which an operation makes something longer, when it is done or replayed. False when those since the checkpoint are more than
   * {@link MAX_GROWN_BLOCKS}: such an operation is in no record.
   */
  grow(nrBlocks: number): boolean {
    this.#grownBlocks += nrBlocks;
    return this.#grownBlocks <= MAX_GROWN_BLOCKS;
  }

  /** What follows can't be logged: the transaction becomes a checkpoint. */
  overflow(): void {
    this.overflowed = true;
  }

  /** Takes operations back to a former mark. */
  rewind(mark: number): void {
    assert(4 * mark >= this.#tail + HEADER_BYTES && 4 * mark <= this.#end, 'the mark is in the running transaction');
    this.#end = 4 * mark;
    this.overflowed = false;
  }

  /** Takes back everything that is in no record. */
  rewindAll(): void {
    this.#end = this.#tail + HEADER_BYTES;
    this.overflowed = false;
  }

  /** Calls `replay(from, to)` with the word offsets of all operations: first of the committed records, then of those after them. */
  forEachRun(replay: (from: number, to: number) => void): void {
    const { words } = this.#slab;
    this.#grownBlocks = 0;
    let at = 0;
    while (at < this.#tail) {
      const isProof = words[(at >>> 2) + KIND] === JOURNAL_KIND.proof;
      const end = at + words[(at >>> 2) + LENGTH]!;
      if (!isProof) replay((at + HEADER_BYTES) >>> 2, end >>> 2);
      at = isProof ? alignToBlock(end) : end;
    }
    if (this.#end > this.#tail + HEADER_BYTES) replay((this.#tail + HEADER_BYTES) >>> 2, this.#end >>> 2);
  }

  /** Writes the proof: the blocks of a checkpoint with their checksums. At the beginning of the area, with one call; no flush. */
  writeProof(device: BlockDevice, entries: readonly (readonly [block: number, csum: number])[]): void {
    assert(this.#tail === 0 && !this.isOpen, 'the proof is the first record');
    const length = HEADER_BYTES + entries.length * PROOF_ENTRY.size;
    assert(alignToBlock(length) <= this.nrBlocks * METADATA_BLOCK_SIZE, 'the proof fits into the area');
    if (alignToBlock(length) > this.#slab.bytes.length) this.#grow(alignToBlock(length));
    const { words } = this.#slab;
    entries.forEach(([block, csum], i) => {
      words[HEADER_WORDS + 2 * i] = block;
      words[HEADER_WORDS + 2 * i + 1] = csum;
    });
    this.#sequence = 0;
    this.#seal(JOURNAL_KIND.proof, length);
    device.write(this.begin, [this.#slab.bytes.subarray(0, alignToBlock(length))]);
    this.#advance(alignToBlock(length));
  }

  /** Seals the running transaction as one record and writes it, with one call; no flush. It is committed once the device is flushed. */
  writeRecord(device: BlockDevice): void {
    assert(this.isOpen && !this.overflowed, 'there is something to commit, and it was logged');
    // Records begin at multiples of 8 bytes.
    const end = (this.#end + 7) & ~7;
    const last = alignToBlock(end);
    if (last > this.#slab.bytes.length) this.#grow(last);
    const { bytes } = this.#slab;
    bytes.fill(0, this.#end, last);
    this.#seal(JOURNAL_KIND.redo, end - this.#tail);
    const first = Math.floor(this.#tail / METADATA_BLOCK_SIZE);
    device.write(this.begin + first, [bytes.subarray(first * METADATA_BLOCK_SIZE, last)]);
    this.#advance(end);
  }

  /**
   * Reads the area from the device: all records that are believable, up to the first that is not. What was there before is forgotten.
   *
   * @param nrProofEntries - As the superblock has it.
   * @returns Whether the proof is there (or none is needed); without it nothing is read.
   */
  load(device: BlockDevice, nrProofEntries: number): boolean {
    this.#slab = Slab.ofSize(this.nrBlocks * METADATA_BLOCK_SIZE);
    device.read(this.begin, [this.#slab.bytes]);
    this.#sequence = nrProofEntries > 0 ? 0 : 1;
    if (nrProofEntries > 0) {
      const proof = this.#parse(0);
      if (proof === undefined || proof.kind !== JOURNAL_KIND.proof) return false;
      if (proof.end !== HEADER_BYTES + nrProofEntries * PROOF_ENTRY.size) return false;
      this.#accept(proof, alignToBlock(proof.end));
    }
    let next = this.#parse(this.#tail);
    for (; next?.kind === JOURNAL_KIND.redo; next = this.#parse(this.#tail)) this.#accept(next, next.end);
    this.strangeKind = next?.kind;
    return true;
  }

  /** The entries of the proof that {@link load} found. */
  *proofEntries(nrEntries: number): Generator<readonly [block: number, csum: number], undefined> {
    const { words } = this.#slab;
    for (let i = 0; i < nrEntries; i++) {
      yield [words[HEADER_WORDS + 2 * i]!, words[HEADER_WORDS + 2 * i + 1]!];
    }
  }

  /**
   * Whether a record of this generation follows the proof, whatever the proof looks like. It was written after the checkpoint was durable, so
   * that a proof that does not hold is then no lost write, but damage.
   */
  hasLaterRecord(nrProofEntries: number): boolean {
    return this.#isSound(proofBytes(nrProofEntries), 1);
  }

  #accept({ begin }: JournalRecord, next: number): void {
    this.#previous = this.#slab.words[begin >>> 2]!;
    this.#sequence++;
    this.#tail = next;
    this.#end = next + HEADER_BYTES;
    this.#setLimit();
  }

  /** The record at byte `begin`, if it is the next one. */
  #parse(begin: number): JournalRecord | undefined {
    if (!this.#isSound(begin, this.#sequence)) return undefined;
    const { words } = this.#slab;
    const at = begin >>> 2;
    if (words[at + PREVIOUS] !== this.#previous) return undefined;
    return { kind: words[at + KIND]!, begin, end: begin + words[at + LENGTH]! };
  }

  /** Whether there is a record of this generation and sequence number with the right checksum. */
  #isSound(begin: number, sequence: number): boolean {
    const { words, bytes } = this.#slab;
    if (begin + HEADER_BYTES > bytes.length) return false;
    const at = begin >>> 2;
    const length = words[at + LENGTH]!;
    if (words[at + MAGIC] !== JOURNAL_MAGIC || words[at + SEQUENCE] !== sequence) return false;
    if (words[at + GENERATION + 1]! * TWO_POW_32 + words[at + GENERATION]! !== this.generation) return false;
    if (length < HEADER_BYTES || length % 8 !== 0 || begin + length > bytes.length) return false;
    return words[at] === crc32cWords(words, at + 1, length / 4 - 1);
  }

  #seal(kind: number, length: number): void {
    const { words } = this.#slab;
    const at = this.#tail >>> 2;
    words[at + MAGIC] = JOURNAL_MAGIC;
    words[at + GENERATION] = this.generation >>> 0;
    words[at + GENERATION + 1] = this.generation / TWO_POW_32;
    words[at + SEQUENCE] = this.#sequence;
    words[at + KIND] = kind;
    words[at + LENGTH] = length;
    words[at + PREVIOUS] = this.#previous;
    words[at] = crc32cWords(words, at + 1, length / 4 - 1);
  }

  #advance(tail: number): void {
    this.#previous = this.#slab.words[this.#tail >>> 2]!;
    this.#sequence++;
    this.#tail = tail;
    this.#end = tail + HEADER_BYTES;
    this.#setLimit();
  }

  /** A record takes at most a quarter of the area, so that a few large ones do not crowd out many small ones. */
  #setLimit(): void {
    const area = this.nrBlocks * METADATA_BLOCK_SIZE;
    this.#limit = Math.min(this.#tail + area / 4, area - 8);
  }

  #grow(wanted: number): void {
    const area = this.nrBlocks * METADATA_BLOCK_SIZE;
    const larger = Slab.ofSize(Math.min(area, Math.max(alignToBlock(wanted), 2 * this.#slab.bytes.length)));
    larger.bytes.set(this.#slab.bytes);
    this.#slab = larger;
  }
}
