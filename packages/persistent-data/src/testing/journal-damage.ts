import {
  blockChecksum,
  crc32cWords,
  JOURNAL_HEADER,
  JOURNAL_KIND,
  JOURNAL_MAGIC,
  METADATA_BLOCK_SIZE,
  PROOF_ENTRY,
  SALT,
  STORE_SUPERBLOCK,
  WORDS_PER_BLOCK,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import type { Random } from './random.ts';
import { RawImage } from './raw-image.ts';

/**
 * A kind of change to the journal of a Store; all checksums are right afterwards, and each record names the one before it.
 *
 * - `journalWord`: a word of an operation is another. `journalNoise`: many are. `journalOperations`: a record of operations that no store wrote.
 * - `journalDrop`, `journalDouble`, `journalSwap`: a record is missing, is there twice, comes after its successor.
 * - `journalCut`: a record ends within an operation. `journalJoin`: two records are one. `journalKind`: a record is of another kind.
 * - `journalProof`: the list of what the checkpoint wrote is another.
 */
export type JournalDamage = (typeof JOURNAL_DAMAGES)[number];

export const JOURNAL_DAMAGES = [
  'journalWord',
  'journalNoise',
  'journalOperations',
  'journalDrop',
  'journalDouble',
  'journalSwap',
  'journalCut',
  'journalJoin',
  'journalKind',
  'journalProof',
] as const;

const HEADER_WORDS = JOURNAL_HEADER.size / 4;
const PROOF_WORDS = PROOF_ENTRY.size / 4;
const TWO_POW_32 = 0x1_0000_0000;
const H = {
  magic: JOURNAL_HEADER.word('magic'),
  generation: JOURNAL_HEADER.word('generation'),
  sequence: JOURNAL_HEADER.word('sequence'),
  kind: JOURNAL_HEADER.word('kind'),
  length: JOURNAL_HEADER.word('length'),
  previous: JOURNAL_HEADER.word('previous'),
};
/** Numbers at which programs change their mind. */
const TELLING = [0, 1, 2, 3, 4, 7, 8, 15, 255, 256, 1016, 4096, 65_535, 65_536, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const NR_OPCODES = 14;

interface JournalRecord {
  kind: number;
  /** What follows the header; an even number of words. */
  payload: Uint32Array;
}

/** Where the journal of the newest checkpoint lies, and what is in it. */
interface JournalArea {
  readonly begin: number;
  readonly nrBlocks: number;
  readonly generation: number;
  readonly records: JournalRecord[];
}

function newestSuperblock(image: RawImage): number | undefined {
  const sound = [0, 1].filter((slot) => {
    if (!image.has(slot)) return false;
    const base = image.load(slot);
    return blockChecksum(image.words, base, SALT.storeSuperblock) === image.words[base];
  });
  const generation = (slot: number) => image.u64(slot * WORDS_PER_BLOCK, STORE_SUPERBLOCK.word('generation'));
  return sound.sort((a, b) => generation(b) - generation(a))[0];
}

/** Words up to the next block. */
function alignToBlock(words: number): number {
  return Math.ceil(words / WORDS_PER_BLOCK) * WORDS_PER_BLOCK;
}

function readJournal(device: BlockDevice): JournalArea | undefined {
  const image = new RawImage(device);
  const slot = newestSuperblock(image);
  if (slot === undefined) return undefined;
  const base = slot * WORDS_PER_BLOCK;
  const generation = image.u64(base, STORE_SUPERBLOCK.word('generation'));
  const begin = image.u64(base, STORE_SUPERBLOCK.word(generation % 2 === 0 ? 'journalBegin0' : 'journalBegin1'));
  const nrBlocks = image.u32(base, STORE_SUPERBLOCK.word('journalBlocks'));
  if (nrBlocks === 0 || !image.has(begin) || !image.has(begin + nrBlocks - 1)) return undefined;
  const words = new Uint32Array(nrBlocks * WORDS_PER_BLOCK);
  device.read(begin, [new Uint8Array(words.buffer)]);
  return { begin, nrBlocks, generation, records: [...readRecords(words, generation)] };
}

function* readRecords(words: Uint32Array, generation: number): Generator<JournalRecord, undefined> {
  let previous: number | undefined;
  for (let at = 0; at + HEADER_WORDS <= words.length; ) {
    const length = (words[at + H.length] as number) / 4;
    const isOurs = words[at + H.magic] === JOURNAL_MAGIC && words[at + H.generation] === generation >>> 0;
    const fits = length >= HEADER_WORDS && length % 2 === 0 && at + length <= words.length;
    if (!isOurs || !fits || words[at] !== crc32cWords(words, at + 1, length - 1)) return;
    if (previous !== undefined && words[at + H.previous] !== previous) return;
    previous = words[at] as number;
    const kind = words[at + H.kind] as number;
    yield { kind, payload: words.slice(at + HEADER_WORDS, at + length) };
    at = kind === JOURNAL_KIND.proof ? alignToBlock(at + length) : at + length;
  }
}

/** Seals all records one after the other, as far as there is room for them, and writes the area. */
function writeJournal({ begin, nrBlocks, generation, records }: JournalArea, device: BlockDevice): void {
  const words = new Uint32Array(nrBlocks * WORDS_PER_BLOCK);
  let at = 0;
  let previous = 0;
  // The first redo record has number 1, whether there is a proof or not.
  let sequence = records[0]?.kind === JOURNAL_KIND.proof ? 0 : 1;
  for (const { kind, payload } of records) {
    const length = HEADER_WORDS + payload.length;
    if (at + length > words.length) break;
    words[at + H.magic] = JOURNAL_MAGIC;
    words[at + H.generation] = generation >>> 0;
    words[at + H.generation + 1] = generation / TWO_POW_32;
    words[at + H.sequence] = sequence++;
    words[at + H.kind] = kind;
    words[at + H.length] = 4 * length;
    words[at + H.previous] = previous;
    words.set(payload, at + HEADER_WORDS);
    previous = crc32cWords(words, at + 1, length - 1);
    words[at] = previous;
    at = kind === JOURNAL_KIND.proof ? alignToBlock(at + length) : at + length;
  }
  const bytes = new Uint8Array(words.buffer);
  for (let i = 0; i < nrBlocks; i++) {
    device.write(begin + i, [bytes.subarray(i * METADATA_BLOCK_SIZE, (i + 1) * METADATA_BLOCK_SIZE)]);
  }
}

function oddWord(random: Random, old = 0): number {
  if (random.chance(0.4)) return random.pick(TELLING);
  if (random.chance(0.5)) return (old ^ (1 << random.below(32))) >>> 0;
  return random.chance(0.7) ? random.below(20) : random.uint32();
}

/** Operations with opcodes that there are, mostly, on what there may be, and with arguments that are as they come. */
function oddOperations(random: Random): Uint32Array {
  const words: number[] = [];
  for (let i = random.between(1, 12); i > 0; i--) {
    if (random.chance(0.7)) words.push(1, random.chance(0.8) ? 0 : random.below(6), random.between(1, 8));
    const argument = random.chance(0.6) ? random.below(20) : random.below(2 ** 24);
    words.push(((argument << 8) | random.below(NR_OPCODES + 2)) >>> 0);
    for (let k = random.below(7); k > 0; k--) words.push(random.chance(0.5) ? 0 : oddWord(random));
  }
  return Uint32Array.from(words.length % 2 === 0 ? words : [...words, 0]);
}

type Doer = (area: JournalArea, random: Random) => string | undefined;

/** One of the records of operations, by its place; `undefined` when there are fewer than `least`. */
function redoIndex({ records }: JournalArea, random: Random, least = 1): number | undefined {
  const places = records.flatMap(({ kind }, i) => (kind === JOURNAL_KIND.redo ? [i] : []));
  return places.length < least ? undefined : places[random.below(places.length + 1 - least)];
}

function changeWords(count: (random: Random) => number): Doer {
  return (area, random) => {
    const index = redoIndex(area, random);
    if (index === undefined) return undefined;
    const { payload } = area.records[index] as JournalRecord;
    const from = random.below(payload.length);
    const to = Math.min(payload.length, from + count(random));
    for (let i = from; i < to; i++) payload[i] = oddWord(random, payload[i]);
    return `words ${from} to ${to} of record ${index} are others`;
  };
}

const DOERS: Record<JournalDamage, Doer> = {
  journalWord: changeWords(() => 1),
  journalNoise: changeWords((random) => random.between(2, 60)),
  journalOperations({ records }, random) {
    const first = records[0]?.kind === JOURNAL_KIND.proof ? 1 : 0;
    const index = random.between(first, Math.max(first, records.length));
    const payload = oddOperations(random);
    records.splice(index, 0, { kind: JOURNAL_KIND.redo, payload });
    return `record ${index} is new: ${payload.join(' ')}`;
  },
  journalDrop(area, random) {
    const index = redoIndex(area, random);
    if (index === undefined) return undefined;
    area.records.splice(index, 1);
    return `record ${index} is missing`;
  },
  journalDouble(area, random) {
    const index = redoIndex(area, random);
    if (index === undefined) return undefined;
    area.records.splice(index, 0, area.records[index] as JournalRecord);
    return `record ${index} is there twice`;
  },
  journalSwap(area, random) {
    const index = redoIndex(area, random, 2);
    if (index === undefined) return undefined;
    area.records.splice(index, 0, ...area.records.splice(index + 1, 1));
    return `record ${index} comes after its successor`;
  },
  journalCut(area, random) {
    const index = redoIndex(area, random);
    if (index === undefined) return undefined;
    const record = area.records[index] as JournalRecord;
    const length = 2 * random.below(record.payload.length / 2);
    record.payload = record.payload.slice(0, length);
    return `record ${index} ends after ${length} words`;
  },
  journalJoin(area, random) {
    const index = redoIndex(area, random, 2);
    if (index === undefined) return undefined;
    const [first, second] = area.records.slice(index, index + 2) as [JournalRecord, JournalRecord];
    const payload = Uint32Array.of(...first.payload, ...second.payload);
    area.records.splice(index, 2, { kind: first.kind, payload });
    return `records ${index} and ${index + 1} are one`;
  },
  journalKind({ records }, random) {
    if (records.length === 0) return undefined;
    const index = random.below(records.length);
    const record = records[index] as JournalRecord;
    const { kind } = record;
    record.kind = random.chance(0.5) ? JOURNAL_KIND.proof + JOURNAL_KIND.redo - kind : oddWord(random, kind);
    return `record ${index} is of kind ${record.kind}`;
  },
  journalProof({ records }, random) {
    const [proof] = records;
    if (proof?.kind !== JOURNAL_KIND.proof) return undefined;
    const word = random.below(proof.payload.length);
    proof.payload[word] = oddWord(random, proof.payload[word]);
    return `word ${word % PROOF_WORDS} of entry ${Math.floor(word / PROOF_WORDS)} of the proof is ${proof.payload[word]}`;
  },
};

/**
 * Changes the journal of a Store, and seals all its records anew, so that the change gets as far as the program that replays them.
 *
 * @param device - Holds a Store; one that was not closed has records to replay.
 * @returns What was done, as a sentence; `undefined` when the journal has nothing that this could be done to.
 */
export function damageJournal(device: BlockDevice, kind: JournalDamage, random: Random): string | undefined {
  const area = readJournal(device);
  const done = area && DOERS[kind](area, random);
  if (area === undefined || done === undefined) return undefined;
  writeJournal(area, device);
  return `${kind}: ${done}`;
}

/**
 * Adds a record to the journal of a Store, as if it had been committed.
 *
 * @param operations - In words, as docs/format.md has them; an even number.
 * @returns Whether there is a journal. A record that it has no room for is left out.
 */
export function appendRecord(device: BlockDevice, operations: Uint32Array): boolean {
  const area = readJournal(device);
  if (area === undefined) return false;
  area.records.push({ kind: JOURNAL_KIND.redo, payload: operations });
  writeJournal(area, device);
  return true;
}
