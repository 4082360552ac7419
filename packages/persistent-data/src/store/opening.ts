import { assert, CorruptionError, PersistentDataError, Slab } from '../base/index.ts';
import { crc32cWords, JOURNAL_KIND, METADATA_BLOCK_SIZE, SALT, WORDS_PER_BLOCK } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { Journal, proofBytes } from './journal.ts';
import { readSlot, refuseUnsupported, type StoreSuperblock, slotOf } from './superblock.ts';

/** The longest journal area that is believed, in blocks (256 MiB). */
const MAX_JOURNAL_BLOCKS = 65536;
/** Blocks read together when a proof is checked. */
const RUN = 64;
const SALTS: readonly number[] = [SALT.btreeNode, SALT.arrayBlock, SALT.metadataIndex, SALT.bitmap];

/** What a store's file begins with while it is being made: durable before anything else, so that what a crash leaves is known for it. */
const BEING_MADE = (() => {
  const block = new Uint8Array(METADATA_BLOCK_SIZE);
  block.set(new TextEncoder().encode('persistent-data store: being made\n'));
  return block;
})();
const SECTOR = 512;

/** A checkpoint that was found on a device. */
export interface FoundCheckpoint {
  readonly superblock: StoreSuperblock;
  /** With all records that are believed. */
  readonly journal: Journal;
  /** A slot whose superblock is newer, and is not believed; it has to be made void before the store is changed. */
  readonly voidSlot: 0 | 1 | undefined;
}

/**
 * Finds the newest checkpoint of which everything has arrived.
 *
 * The older of the two may be taken only if the newer one was never durable; a newer one that was, and is damaged now, is a
 * {@link CorruptionError}.
 *
 * @throws {CorruptionError} when there is none.
 * @throws {UnsupportedError} when its version or a feature flag is not known.
 */
export function findCheckpoint(device: BlockDevice, readOnly: boolean): FoundCheckpoint {
  const problems: PersistentDataError[] = [];
  const candidates: StoreSuperblock[] = [];
  for (const slot of [0, 1] as const) {
    try {
      candidates.push(readSlot(device, slot));
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      problems.push(error);
    }
  }
  candidates.sort((a, b) => b.generation - a.generation);
  let voidSlot: 0 | 1 | undefined;
  for (const superblock of candidates) {
    refuseUnsupported(superblock, readOnly);
    try {
      return { superblock, journal: loadProven(device, superblock), voidSlot };
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      problems.push(error);
      if (error instanceof DurableDamage) break;
      voidSlot ??= slotOf(superblock.generation);
    }
  }
  const reasons = problems.map(({ message }) => message).join('; ');
  throw new CorruptionError(`Cannot open store: no superblock is believable: ${reasons}`, {
    block: 0,
    kind: 'store_superblock',
  });
}

/** A checkpoint was durable, and it or its journal is no more what was written. */
class DurableDamage extends CorruptionError {}

/** The journal of a checkpoint, if all that the checkpoint wrote is there. */
function loadProven(device: BlockDevice, superblock: StoreSuperblock): Journal {
  const { generation, nrProofEntries, journalBegins, journalBlocks, spaceMapRoot } = superblock;
  const refuse = (why: string): never => {
    const block = slotOf(generation);
    throw new CorruptionError(`superblock of generation ${generation}: ${why}`, { block, kind: 'store_superblock' });
  };
  if (!(generation >= 1 && generation <= Number.MAX_SAFE_INTEGER)) refuse('the generation is not possible');
  if (spaceMapRoot.nrBlocks > device.nrBlocks) {
    refuse(`it describes ${spaceMapRoot.nrBlocks} blocks, the device has ${device.nrBlocks}`);
  }
  const areaIsPossible = journalBegins.every((begin) => begin >= 2 && begin + journalBlocks <= device.nrBlocks);
  const bytes = journalBlocks * METADATA_BLOCK_SIZE;
  if (
    journalBlocks < 1 ||
    journalBlocks > MAX_JOURNAL_BLOCKS ||
    !areaIsPossible ||
    proofBytes(nrProofEntries) > bytes
  ) {
    refuse(`no journal of ${journalBlocks} blocks at ${journalBegins.join(' and ')} is possible`);
  }
  const journal = new Journal(generation, journalBegins[slotOf(generation)], journalBlocks);
  const missing = journal.load(device, nrProofEntries)
    ? firstMissing(device, journal.proofEntries(nrProofEntries))
    : 'the proof itself';
  if (missing === undefined) {
    if (journal.strangeKind === undefined) return journal;
    const message = `journal of generation ${generation}: a record is of kind ${journal.strangeKind}, ${JOURNAL_KIND.redo} is wanted`;
    const place = { block: journal.begin, kind: 'journal_record', field: 'kind', found: journal.strangeKind };
    throw new DurableDamage(message, { ...place, expected: JOURNAL_KIND.redo });
  }
  if (!journal.hasLaterRecord(nrProofEntries)) refuse(`${missing} has not arrived`);
  const message = `superblock of generation ${generation}: ${missing} is damaged; it was there once, as commits after it show`;
  throw new DurableDamage(message, { block: slotOf(generation), kind: 'store_superblock' });
}

/** Which of the blocks does not hold what the proof says; `undefined` when all do. */
function firstMissing(
  device: BlockDevice,
  entries: Iterable<readonly [block: number, csum: number]>,
): string | undefined {
  const sorted = [...entries].sort(([a], [b]) => a - b);
  const slab = Slab.ofSize(Math.min(RUN, sorted.length) * METADATA_BLOCK_SIZE);
  for (let i = 0; i < sorted.length; ) {
    const [begin] = sorted[i]!;
    let end = i + 1;
    while (end < sorted.length && end - i < RUN && sorted[end]![0] === begin + end - i) end++;
    if (begin + end - i > device.nrBlocks) return `block ${begin + end - i - 1}`;
    device.read(begin, [slab.bytes.subarray(0, (end - i) * METADATA_BLOCK_SIZE)]);
    for (let k = i; k < end; k++) {
      if (!holds(slab, (k - i) * WORDS_PER_BLOCK, sorted[k]![1])) return `block ${sorted[k]![0]}`;
    }
    i = end;
  }
  return undefined;
}

function holds({ words }: Slab, base: number, csum: number): boolean {
  if (words[base] !== csum) return false;
  return SALTS.includes((crc32cWords(words, base + 1, WORDS_PER_BLOCK - 1) ^ csum) >>> 0);
}

/**
 * Whether a device holds no store yet: it is empty, or all zeros where superblocks would be, or what was left when a store was being made.
 */
export function isBlank(device: BlockDevice): boolean {
  if (device.nrBlocks === 0) return true;
  const first = new Uint8Array(METADATA_BLOCK_SIZE);
  device.read(0, [first]);
  const second = new Uint8Array(METADATA_BLOCK_SIZE);
  if (device.nrBlocks > 1) device.read(1, [second]);
  let isMarker = true;
  for (let at = 0; at < METADATA_BLOCK_SIZE; at += SECTOR) {
    const sector = first.subarray(at, at + SECTOR);
    const isMarked = sector.every((byte, i) => byte === BEING_MADE[at + i]);
    if (!isMarked && !sector.every((byte) => byte === 0)) return false;
    isMarker &&= isMarked;
  }
  // The marker was durable before anything else was written.
  if (isMarker) return !isSound(device, 1);
  return second.every((byte) => byte === 0);
}

function isSound(device: BlockDevice, slot: 0 | 1): boolean {
  if (device.nrBlocks <= slot) return false;
  try {
    findCheckpoint(device, true);
    return true;
  } catch (error) {
    if (error instanceof PersistentDataError && error.code === 'PDATA_CORRUPT') return false;
    throw error;
  }
}

/** Marks a device as one on which a store is being made, durably. It is at least one block long afterwards. */
export function markBeingMade(device: BlockDevice): void {
  if (device.nrBlocks === 0) {
    assert(device.resize !== undefined, 'a device that is too short and cannot grow was refused before');
    device.resize(1);
  }
  device.write(0, [BEING_MADE]);
  device.flush();
}

/** Makes a slot void that must not be believed later: its newer superblock was never durable. Not flushed. */
export function voidSlot(device: BlockDevice, slot: 0 | 1): void {
  device.write(slot, [new Uint8Array(METADATA_BLOCK_SIZE)]);
}
