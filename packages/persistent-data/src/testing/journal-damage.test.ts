import { expect, test } from 'vitest';
import { CorruptionError, PersistentDataError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { Store, u32 } from '../store/index.ts';
import { appendRecord, damageJournal, JOURNAL_DAMAGES } from './journal-damage.ts';
import { Random } from './random.ts';

const OPTIONS = { journalBlocks: 4, cacheBytes: 131_072 };

/** A store that was not closed: its last checkpoint has a proof, and the records after it fill more than a block. */
function unclosed(): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device, OPTIONS);
  const tree = store.tree('t', { value: u32 });
  for (let i = 0; store.engine.superblock.nrProofEntries === 0 || i % 300 !== 0; i++) tree.set(i % 1000, i);
  const array = store.array('a', { value: u32 });
  array.resize(40, 5);
  // What is removed was put just before: in another order that cannot be.
  for (let i = 0; i < 150; i++) {
    tree.set(5000 + i, i);
    tree.delete(5000 + i);
  }
  store.snapshot('s');
  tree.deleteRange(100, 200);
  return device;
}

const SOUND = unclosed();

function contentOf(store: Store): string {
  const parts = store.collections().map(({ name }) => {
    const entries = name === 't' ? store.tree(name, { value: u32 }).entries() : store.array(name, { value: u32 });
    return `${name}: ${[...entries].join(' ')}`;
  });
  return [...parts, ...store.snapshots().map(({ name }) => name)].join('\n');
}

/** What comes of opening: what the store holds then, or the error. */
function outcomeOf(device: MemoryDevice): string | PersistentDataError {
  let store: Store;
  try {
    store = Store.open(device, OPTIONS);
    return contentOf(store);
  } catch (error) {
    if (error instanceof PersistentDataError) return error;
    throw error;
  }
}

const content = outcomeOf(SOUND.fork());

test.each(JOURNAL_DAMAGES)('damage of the kind %s reaches the program that replays a journal', (kind) => {
  let nrReached = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const device = SOUND.fork();
    const done = damageJournal(device, kind, new Random(seed));
    expect(done, `seed ${seed}`).toMatch(new RegExp(`^${kind}: `));
    const outcome = outcomeOf(device);
    // Records that are joined are sealed anew, and mean the same.
    if (kind === 'journalJoin') expect(outcome).toBe(content);
    if (outcome !== content || kind === 'journalJoin') nrReached++;
    // A store that was opened has replayed what it found: it is sound.
    if (typeof outcome === 'string') expect([...Store.open(device, OPTIONS).check()], `seed ${seed}`).toEqual([]);
  }
  expect(nrReached).toBeGreaterThan(10);
});

test('hostile operations are refused as what they are; without a new seal they would be the journal’s end', () => {
  const device = SOUND.fork();
  expect(appendRecord(device, Uint32Array.of(99, 0))).toBe(true);
  expect(outcomeOf(device)).toMatchObject({ name: 'CorruptionError', kind: 'journal_record' });
  // The same bytes with one bit of the checksum wrong never get there.
  const bytes = new Uint8Array(device.nrBlocks * 4096);
  device.read(0, [bytes]);
  const at = bytes.findIndex((_, i) => i % 8 === 0 && bytes[i + 32] === 99 && bytes[i + 24] === 40);
  bytes[at] = (bytes[at] as number) ^ 1;
  expect(outcomeOf(MemoryDevice.from(bytes))).toBe(content);
});

test('what has no journal is left as it is', () => {
  const blank = new MemoryDevice({ nrBlocks: 8 });
  expect(damageJournal(blank, 'journalOperations', new Random(1))).toBeUndefined();
  expect(appendRecord(blank, Uint32Array.of(0, 0))).toBe(false);
  expect([...blank.toBytes()].every((byte) => byte === 0)).toBe(true);
  const device = SOUND.fork();
  Store.open(device, OPTIONS).close();
  const before = device.toBytes();
  for (const kind of ['journalWord', 'journalDrop', 'journalSwap', 'journalProof', 'journalKind'] as const) {
    expect(damageJournal(device, kind, new Random(1))).toBeUndefined();
  }
  expect(device.toBytes()).toEqual(before);
  expect(damageJournal(device, 'journalOperations', new Random(1))).toBeDefined();
  expect(outcomeOf(device)).toBeInstanceOf(CorruptionError);
});
