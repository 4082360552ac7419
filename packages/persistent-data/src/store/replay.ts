import { CorruptionError, NoSpaceError, StateError } from '../base/index.ts';
import type { Branch } from './branch.ts';
import { checkNameRecord, checkText, kindOf, MAX_SNAPSHOT_NAME_BYTES } from './catalogue.ts';
import type { StoreCore } from './core.ts';
import { type Journal, MAX_GROWN_BLOCKS } from './journal.ts';
import { RawArray } from './raw-array.ts';
import { RawBitset } from './raw-bitset.ts';
import type { RawCollection } from './raw-collection.ts';
import { RawTree } from './raw-tree.ts';
import { OP, RedoReader } from './redo-log.ts';
import type { Space } from './space.ts';

/** What operations are replayed on. */
export interface ReplayHost {
  readonly core: StoreCore;
  readonly space: Pick<Space, 'ensure' | 'ensureFor'>;
  readonly journal: Pick<Journal, 'grow'>;
}

/** Makes room. Where the device can't grow there is the reserve: what was done once before fits into it again. */
function makeRoom({ core, space }: ReplayHost, nrBlocks = 0): void {
  try {
    if (nrBlocks === 0) space.ensure();
    else space.ensureFor(nrBlocks);
  } catch (error) {
    if (!(error instanceof NoSpaceError && error.space === 'metadata' && core.tm.broken === undefined)) throw error;
  }
}

/** Makes room for a longer array or bitset. @throws {CorruptionError} when no journal makes so many blocks. */
function makeRoomFor(host: ReplayHost, raw: RawArray | RawBitset, length: number): void {
  const nrBlocks = raw.grownBlocks(length);
  if (!host.journal.grow(nrBlocks))
    throw unbelievable(`it makes collections longer by more than ${MAX_GROWN_BLOCKS} blocks`);
  makeRoom(host, raw.newBlocks(length));
}

function unbelievable(what: string, options?: ErrorOptions): CorruptionError {
  return new CorruptionError(`Cannot replay the journal: ${what}`, { kind: 'journal_record' }, options);
}

/**
 * Does the operations in a piece of the journal once more. They were done before on the same state, so none of them can fail for what it finds;
 * when one does, the journal (whose checksum is right) or the checkpoint is not believable.
 *
 * @param range - Word offsets in `slab`, half-open.
 * @throws {CorruptionError} when an operation is not known, or cannot be done to what is there.
 */
export function replayOperations(
  host: ReplayHost,
  slab: { readonly words: Uint32Array; readonly bytes: Uint8Array },
  range: { readonly from: number; readonly to: number },
): void {
  try {
    replayAll(host, new RedoReader(slab, range.from, range.to));
  } catch (error) {
    // What it is about is not there, or no number for it: a mistake of the caller's elsewhere, but nobody calls here.
    const isRefused = error instanceof StateError || error instanceof RangeError;
    throw isRefused ? unbelievable(error.message, { cause: error }) : error;
  }
}

function replayAll(host: ReplayHost, reader: RedoReader): void {
  const { core } = host;
  let selected: RawCollection | undefined;
  while (reader.at < reader.end) {
    const head = reader.word();
    makeRoom(host);
    if ((head & 0xff) === OP.select) {
      selected = core.collection(branchOf(core, reader.word()), reader.word());
      if (selected === undefined) throw unbelievable('it changes a collection that is not there');
      continue;
    }
    if (isStructural(head & 0xff)) {
      replayStructural(core, head & 0xff, reader);
      selected = undefined;
    } else if ((head & 0xff) !== OP.none) {
      if (selected === undefined) throw unbelievable('it changes a collection without naming it');
      core.checkOut(selected);
      replayChange(host, selected, head, reader);
    }
  }
}

function isStructural(opcode: number): boolean {
  return opcode >= OP.createCollection;
}

function branchOf(core: StoreCore, id: number): Branch {
  const branch = core.branch(id);
  if (branch === undefined) throw unbelievable(`it changes snapshot ${id}, which is not there`);
  return branch;
}

function replayStructural(core: StoreCore, opcode: number, reader: RedoReader): void {
  switch (opcode) {
    case OP.createCollection: {
      const branch = branchOf(core, reader.word());
      const packed = reader.word();
      const shape = { kind: kindOf(packed & 0xff), levels: packed >>> 8, valueSize: reader.word() };
      const named = { name: reader.text(), schema: reader.text() };
      checkNameRecord(named);
      core.createCollection(branch, { ...shape, ...named });
      return;
    }
    case OP.deleteCollection: {
      const branch = branchOf(core, reader.word());
      const id = reader.word();
      const named = [...core.namesOf(branch).values()].find((collection) => collection.id === id);
      if (named === undefined) throw unbelievable('it deletes a collection that is not there');
      core.deleteCollection(branch, named);
      return;
    }
    case OP.createSnapshot: {
      const branch = branchOf(core, reader.word());
      const flags = reader.word();
      const createdMs = Number(reader.u64());
      const name = reader.text();
      checkText('snapshot name', name, MAX_SNAPSHOT_NAME_BYTES);
      core.createSnapshot(branch, { flags, createdMs, name });
      return;
    }
    case OP.deleteSnapshot:
      core.deleteSnapshot(reader.word());
      return;
    case OP.restore:
      core.restore(branchOf(core, reader.word()));
      return;
    default:
      throw unbelievable(`operation ${opcode} is not known`);
  }
}

function replayChange(host: ReplayHost, raw: RawCollection, head: number, reader: RedoReader): void {
  if (raw instanceof RawTree) replayTree(raw, head, reader);
  else if (raw instanceof RawArray) replayArray(host, raw, head & 0xff, reader);
  else if (raw instanceof RawBitset) replayBitset(host, raw, head, reader);
}

function replayArray(host: ReplayHost, raw: RawArray, opcode: number, reader: RedoReader): void {
  if (opcode !== OP.setElement && opcode !== OP.resize)
    throw unbelievable(`operation ${opcode} of an array is not known`);
  const index = Number(reader.u64());
  reader.value(raw.scratch.words);
  if (opcode === OP.setElement) {
    raw.put(index);
  } else {
    makeRoomFor(host, raw, index);
    raw.resize(index);
  }
}

function replayBitset(host: ReplayHost, raw: RawBitset, head: number, reader: RedoReader): void {
  const opcode = head & 0xff;
  if (opcode !== OP.setBits && opcode !== OP.resize) throw unbelievable(`operation ${opcode} of a bitset is not known`);
  const first = Number(reader.u64());
  if (opcode === OP.setBits) {
    raw.setBits(head >>> 8 === 1, first, Number(reader.u64()));
  } else {
    makeRoomFor(host, raw, first);
    raw.resize(first, reader.word() === 1);
  }
}

function replayTree(raw: RawTree, head: number, reader: RedoReader): void {
  const { keyHigh, keyLow, scratch } = raw.context;
  const setKeys = (): void => {
    for (let level = 0; level < raw.levels; level++) {
      keyLow[level] = reader.word();
      keyHigh[level] = reader.word();
    }
  };
  switch (head & 0xff) {
    case OP.put: {
      setKeys();
      reader.value(scratch.words);
      raw.put();
      return;
    }
    case OP.remove:
      setKeys();
      raw.findForRemoval();
      raw.removeFound();
      return;
    case OP.removeBelow:
      raw.removeBelow(reader.keys(head >>> 8));
      return;
    case OP.removeRange: {
      const nrEnd = (head >>> 12) & 15;
      const begin = reader.keys((head >>> 8) & 15);
      raw.removeRange(begin, nrEnd === 15 ? undefined : reader.keys(nrEnd));
      return;
    }
    default:
      throw unbelievable(`operation ${head & 0xff} of a tree is not known`);
  }
}
