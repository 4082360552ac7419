import { describe, expect, test } from 'vitest';
import { MemoryDevice } from '../io/index.ts';
import { Journal, proofBytes } from './journal.ts';
import { OP, RedoLog, RedoReader } from './redo-log.ts';

const AREA = { begin: 4, nrBlocks: 8 };

function journalOf(generation = 3): Journal {
  return new Journal(generation, AREA.begin, AREA.nrBlocks);
}

/** Logs so many words of one value. */
function log(journal: Journal, value: number, count = 4): void {
  const at = journal.append(count);
  journal.slab.words.fill(value, at, at + count);
}

function contentOf(journal: Journal): number[][] {
  const runs: number[][] = [];
  journal.forEachRun((from, to) => runs.push(Array.from(journal.slab.words.subarray(from, to))));
  return runs;
}

describe('a journal', () => {
  test('is read back up to its last record; what was not committed is not there', () => {
    const device = new MemoryDevice({ nrBlocks: 16 });
    const journal = journalOf();
    for (let i = 1; i <= 5; i++) {
      log(journal, i, 2 * i);
      journal.writeRecord(device);
    }
    log(journal, 99);
    expect(contentOf(journal)).toHaveLength(6);
    const again = journalOf();
    expect(again.load(device, 0)).toBe(true);
    expect(contentOf(again)).toEqual([1, 2, 3, 4, 5].map((i) => Array(2 * i).fill(i)));
    expect(again.usedBytes).toBe(journal.usedBytes);
    expect(again.hasRecords).toBe(true);
  });

  test('writes only the blocks that a record touches', () => {
    const written: [number, number][] = [];
    class Device extends MemoryDevice {
      override write(begin: number, buffers: readonly Uint8Array[]): void {
        written.push([begin, buffers.reduce((sum, { length }) => sum + length, 0) / 4096]);
        super.write(begin, buffers);
      }
    }
    const device = new Device({ nrBlocks: 16 });
    const journal = journalOf();
    for (const count of [4, 4, 1500, 4]) {
      log(journal, 1, count);
      journal.writeRecord(device);
    }
    expect(written).toEqual([
      [4, 1],
      [4, 1],
      [4, 2],
      [5, 1],
    ]);
  });

  test('of another generation, or of another line of records, is not believed', () => {
    const device = new MemoryDevice({ nrBlocks: 16 });
    const journal = journalOf();
    log(journal, 1);
    journal.writeRecord(device);
    log(journal, 2);
    journal.writeRecord(device);
    const other = journalOf(5);
    other.load(device, 0);
    expect(contentOf(other)).toEqual([]);
    // The first record is written anew, with the same length: the old second one does not follow it.
    const rewritten = journalOf();
    log(rewritten, 7);
    const before = new Uint8Array(4096);
    device.read(4, [before]);
    rewritten.writeRecord(device);
    const after = new Uint8Array(4096);
    device.read(4, [after]);
    after.set(before.subarray(rewritten.usedBytes), rewritten.usedBytes);
    device.write(4, [after]);
    const again = journalOf();
    again.load(device, 0);
    expect(contentOf(again)).toEqual([[7, 7, 7, 7]]);
  });

  test('begins with a proof, without which nothing is believed', () => {
    const device = new MemoryDevice({ nrBlocks: 16 });
    const entries = Array.from({ length: 600 }, (_, i) => [i * 3, i * 5] as const);
    const journal = journalOf();
    journal.writeProof(device, entries);
    expect(journal.usedBytes).toBe(proofBytes(600));
    log(journal, 1);
    journal.writeRecord(device);
    const again = journalOf();
    expect(again.load(device, 600)).toBe(true);
    expect([...again.proofEntries(600)]).toEqual(entries);
    expect(contentOf(again)).toEqual([[1, 1, 1, 1]]);
    const wrong = journalOf();
    expect(wrong.load(device, 599)).toBe(false);
    const block = new Uint8Array(4096);
    device.read(4, [block]);
    block[40]! ^= 1;
    device.write(4, [block]);
    expect(wrong.load(device, 600)).toBe(false);
    expect(wrong.hasLaterRecord(600)).toBe(true);
  });

  test('drops operations that are too many, and takes them back to a mark', () => {
    const journal = journalOf();
    log(journal, 1);
    const { mark } = journal;
    expect(journal.append(8 * 1024)).toBe(-1);
    expect(journal.overflowed).toBe(true);
    expect(journal.append(1)).toBe(-1);
    journal.rewind(mark);
    expect(journal.overflowed).toBe(false);
    expect(contentOf(journal)).toEqual([[1, 1, 1, 1]]);
    journal.rewindAll();
    expect(journal.isOpen).toBe(false);
    journal.overflow();
    expect(journal.isOpen).toBe(true);
  });

  test('is full at some time', () => {
    const device = new MemoryDevice({ nrBlocks: 16 });
    const journal = journalOf();
    for (let i = 0; i < 1000; i++) {
      if (journal.append(200) < 0) break;
      journal.writeRecord(device);
    }
    expect(journal.overflowed).toBe(true);
    expect(journal.usedBytes).toBeGreaterThan(7 * 4096);
    const again = journalOf();
    again.load(device, 0);
    expect(again.usedBytes).toBe(journal.usedBytes);
  });
});

test('the redo log writes what its reader reads', () => {
  const journal = journalOf();
  const redo = new RedoLog(journal);
  redo.createCollection(7, { kind: 1, levels: 2, valueSize: 12 }, 'näme', 'schema');
  redo.createSnapshot(0, 1, 2 ** 40, 'x');
  redo.deleteSnapshot(5);
  redo.restore(6);
  redo.deleteCollection(0, 3);
  const [run] = contentOf(journal);
  const reader = new RedoReader(journal.slab, journal.mark - run!.length, journal.mark);
  expect([reader.word(), reader.word(), reader.word(), reader.word()]).toEqual([
    OP.createCollection,
    7,
    1 | (2 << 8),
    12,
  ]);
  expect([reader.text(), reader.text()]).toEqual(['näme', 'schema']);
  expect([reader.word(), reader.word(), reader.word(), reader.u64(), reader.text()]).toEqual([
    OP.createSnapshot,
    0,
    1,
    2 ** 40,
    'x',
  ]);
  expect([reader.word(), reader.word(), reader.word(), reader.word()]).toEqual([OP.deleteSnapshot, 5, OP.restore, 6]);
  expect([reader.word(), reader.word(), reader.word()]).toEqual([OP.deleteCollection, 0, 3]);
  expect(reader.at).toBe(reader.end);
});
