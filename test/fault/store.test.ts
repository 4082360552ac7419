/** A Store on a disk that fails at any one call: what was acknowledged stays, what failed says why, and nothing untyped is thrown. */

import { PersistentDataError, ReadOnlyError } from 'persistent-data/base';
import { MemoryDevice } from 'persistent-data/io';
import { Store, u64 } from 'persistent-data/store';
import { type Fault, FaultDevice, Random } from 'persistent-data/testing';
import { expect, test } from 'vitest';

const OPTIONS = { journalBlocks: 4, cacheBytes: 32 * 4096 };

/** What a run has seen: contents that may be found when the disk is opened again. */
interface Run {
  /** The last content that was acknowledged, and what was tried after it. */
  expected: string[];
  failures: unknown[];
}

const contentOf = (store: Store): string => JSON.stringify([...store.tree('t', { value: u64 })]);

/** Many commits of all sizes, a rollback, a snapshot, growth; goes on after each failure as long as the store does. */
function runScript(device: FaultDevice, run: Run): void {
  const random = new Random(5);
  let store: Store;
  try {
    store = Store.open(device, OPTIONS);
  } catch (error) {
    run.failures.push(error);
    return;
  }
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      run.failures.push(error);
    }
  };
  attempt(() => store.tree('t', { value: u64 }));
  for (let i = 0; i < 14; i++) {
    attempt(() => {
      const tree = store.tree('t', { value: u64 });
      store.transact(() => {
        const count = i % 5 === 4 ? 3000 : 3;
        for (let k = 0; k < count; k++) tree.set(random.below(40_000), random.uint32());
        if (i % 6 === 5) tree.deleteRange(0, 500);
        run.expected.push(contentOf(store));
      });
      run.expected = [run.expected.at(-1)!];
    });
    if (i === 6) attempt(() => store.snapshot('s'));
    if (i === 9) attempt(() => store.getSnapshot('s').remove());
  }
  attempt(() => store.close());
}

function runWith(faults: readonly Fault[]): { run: Run; disk: MemoryDevice; device: FaultDevice } {
  const disk = new MemoryDevice({ nrBlocks: 0 });
  const device = new FaultDevice(disk, { faults });
  const run: Run = { expected: ['[]'], failures: [] };
  runScript(device, run);
  return { run, disk, device };
}

function verify(faults: readonly Fault[]): Run {
  const { run, disk } = runWith(faults);
  for (const error of run.failures) {
    if (!(error instanceof PersistentDataError))
      throw new Error(`untyped, with ${JSON.stringify(faults)}`, { cause: error });
  }
  const store = Store.open(disk.fork(), OPTIONS);
  const content = contentOf(store);
  expect(run.expected, JSON.stringify(faults)).toContain(content);
  expect([...store.check()]).toEqual([]);
  store.close();
  return run;
}

const { calls } = runWith([]).device;

test.each(['read', 'write', 'flush', 'resize'] as const)(
  'an error at each %s',
  (call) => {
    const nr = calls[call];
    expect(nr).toBeGreaterThan(2);
    const step = Math.max(1, Math.floor(nr / 60));
    for (let at = 0; at < nr; at += step) {
      const run = verify([{ kind: 'error', call, at }]);
      // Afterwards nothing can be changed until it is opened anew.
      if (call === 'flush' && run.failures.length > 1) expect(run.failures.at(-1)).toBeInstanceOf(ReadOnlyError);
    }
  },
  60_000,
);

test('a write that is done in part, and a flush that fails and then pretends', () => {
  for (let at = 3; at < calls.write; at += 9) verify([{ kind: 'partialWrite', at, blocks: 1 }]);
  for (let at = 0; at < calls.flush; at++) verify([{ kind: 'failedFlush', at }]);
}, 60_000);

test('a host that is full: nothing is lost, and the store is usable', () => {
  for (let blocks = 30; blocks < 200; blocks += 3) {
    const run = verify([{ kind: 'noSpace', blocks }]);
    const codes = new Set(run.failures.map((error) => (error as PersistentDataError).code));
    codes.delete('PDATA_NO_SPACE');
    // What is opened after a failed creation, or asked for after it, is not there.
    codes.delete('PDATA_STATE');
    expect([...codes]).toEqual([]);
  }
}, 60_000);

test('after a full host a store goes on when there is room again', () => {
  const disk = new MemoryDevice({ nrBlocks: 0 });
  const device = new FaultDevice(disk);
  const store = Store.open(device, OPTIONS);
  const tree = store.tree('t', { value: u64 });
  store.transact(() => tree.set(1, 1));
  device.inject({ kind: 'noSpace', blocks: 5 });
  const fill = () => store.transact(() => Array.from({ length: 5000 }, (_, i) => tree.set(i * 7, i)).length);
  expect(fill).toThrow(expect.objectContaining({ code: 'PDATA_NO_SPACE', space: 'host' }));
  expect([...tree]).toEqual([[1, 1]]);
  store.transact(() => tree.set(2, 2));
  device.heal();
  fill();
  expect(tree.size).toBe(5002);
  store.close();
  expect(Store.open(disk.fork(), OPTIONS).tree('t', { value: u64 }).size).toBe(5002);
});
