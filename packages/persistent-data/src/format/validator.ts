import { CorruptionError, type Slab, TWO_POW_32 } from '../base/index.ts';
import { blockChecksum } from './crc32c.ts';

/**
 * Decides once, when a block enters the cache, whether it may be believed, and seals it when it leaves. Views trust what a
 * validator has let pass. A block keeps its validator as long as it is cached.
 */
export interface BlockValidator {
  /** The kind of block, as docs/format.md and error messages call it. */
  readonly kind: string;
  /** @throws {CorruptionError} when the block at word offset `base`, read from block `blocknr`, is not believable. */
  check(slab: Slab, base: number, blocknr: number): void;
  /** Fills in the block's own number and the checksum. Called at write-out, not when the block is changed. */
  seal(slab: Slab, base: number, blocknr: number): void;
}

/** What distinguishes one kind of block from another, for {@link blockValidator}. */
export interface BlockKind {
  readonly kind: string;
  readonly salt: number;
  /** Word offset, in the block, of its own number (a u64). */
  readonly blocknrWord: number;
  /** A check between the block number and the checksum: a superblock's magic number. Returns a problem or undefined. */
  readonly checkMagic?: (slab: Slab, base: number) => FieldProblem | undefined;
  /** Checks that make the arithmetic of views safe, after the checksum. */
  readonly checkFields?: (slab: Slab, base: number) => FieldProblem | undefined;
}

/** A field that is not believable: its name, what it holds, what is wanted. */
export interface FieldProblem {
  readonly field: string;
  readonly found: number;
  readonly wanted: string;
}

/** The check of a magic number, a u64 at word offset `word` of the block, for {@link BlockKind.checkMagic}. */
export function magicCheck(word: number, magic: number): (slab: Slab, base: number) => FieldProblem | undefined {
  return ({ words }, base) => {
    const found = words[base + word]! + words[base + word + 1]! * TWO_POW_32;
    return found === magic ? undefined : { field: 'magic', found, wanted: String(magic) };
  };
}

/** Makes the validator of a kind: block number, magic, checksum, fields, in the kernel's order. */
export function blockValidator(kind: BlockKind): BlockValidator {
  return new SaltedValidator(kind);
}

function corrupt(kind: string, block: number, field: string, found: number, wanted: string): CorruptionError {
  return new CorruptionError(`Cannot read ${kind} block ${block}: ${field} is ${found}, ${wanted} is wanted`, {
    block,
    kind,
    field,
    found,
    expected: wanted,
  });
}

class SaltedValidator implements BlockValidator {
  readonly kind: string;
  readonly #description: BlockKind;

  constructor(description: BlockKind) {
    this.kind = description.kind;
    this.#description = description;
  }

  check(slab: Slab, base: number, blocknr: number): void {
    const { kind, salt, blocknrWord, checkMagic, checkFields } = this.#description;
    const { words } = slab;
    const own = words[base + blocknrWord + 1]! * 0x1_0000_0000 + words[base + blocknrWord]!;
    if (own !== blocknr) throw corrupt(kind, blocknr, 'blocknr', own, String(blocknr));
    const magic = checkMagic?.(slab, base);
    if (magic !== undefined) throw corrupt(kind, blocknr, magic.field, magic.found, magic.wanted);
    const checksum = blockChecksum(words, base, salt);
    if (words[base] !== checksum) throw corrupt(kind, blocknr, 'csum', words[base]!, String(checksum));
    const problem = checkFields?.(slab, base);
    if (problem !== undefined) throw corrupt(kind, blocknr, problem.field, problem.found, problem.wanted);
  }

  seal(slab: Slab, base: number, blocknr: number): void {
    const { salt, blocknrWord } = this.#description;
    const { words } = slab;
    words[base + blocknrWord] = blocknr >>> 0;
    words[base + blocknrWord + 1] = blocknr / 0x1_0000_0000;
    words[base] = blockChecksum(words, base, salt);
  }
}
