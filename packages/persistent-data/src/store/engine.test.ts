import { describe, expect, test, vi } from 'vitest';
import { NoSpaceError, ReadOnlyError, StateError } from '../base/index.ts';
import { MemoryDevice, ReadOnlyDevice, WindowDevice } from '../io/index.ts';
import { CrashDevice, FaultDevice } from '../testing/index.ts';
import { journalBlocksFor } from './checkpoint.ts';
import { u32, u64 } from './codec.ts';
import { CommitWriter } from './commit-writer.ts';
import { StoreDisk } from './disk.ts';
import { Engine } from './engine.ts';
import { Listeners, SILENT } from './events.ts';
import { foldStore } from './fold.ts';
import { GroupCommit } from './group-commit.ts';
import { openEngine } from './open-store.ts';
import { replayOperations } from './replay.ts';
import { Space } from './space.ts';
import { Store } from './store.ts';
import { Usability } from './usability.ts';

const SPEC = { value: u64 };

/** A device that counts its calls. */
function counted() {
  const device = new FaultDevice(new MemoryDevice({ nrBlocks: 0 }));
  const store = Store.open(device);
  const tree = store.tree('t', SPEC);
  store.engine.checkpoint();
  return { device, store, tree };
}

describe('commits', () => {
  test('a small one is one write and one flush', () => {
    const { device, store, tree } = counted();
    const before = device.calls;
    for (let i = 0; i < 100; i++) store.transact(() => tree.set(i, i));
    expect(device.calls.write - before.write).toBe(100);
    expect(device.calls.flush - before.flush).toBe(100);
  });

  test('one that is too large for the journal is a checkpoint', () => {
    const { store, tree } = counted();
    const { generation } = store.statistics;
    store.transact(() => {
      for (let i = 0; i < 20_000; i++) tree.set(i, i);
    });
    expect(store.statistics.generation).toBe(generation + 1);
    expect(store.engine.isFolded).toBe(true);
  });

  test('nothing is written where nothing was changed', () => {
    const { device, store, tree } = counted();
    const before = device.calls;
    store.transact(() => tree.get(1));
    store.begin();
    store.rollback();
    expect(tree.delete(5)).toBe(false);
    expect(device.calls).toEqual(before);
  });

  test('outside a transaction each change is one of its own', () => {
    const { device, tree } = counted();
    const before = device.calls.flush;
    tree.set(1, 1);
    tree.set(2, 2);
    expect(device.calls.flush - before).toBe(2);
  });

  test('journal areas grow with the store', () => {
    const { store, tree } = counted();
    expect(store.statistics.journalBlocks).toBe(64);
    store.transact(() => tree.load(Array.from({ length: 3_000_000 }, (_, i): [number, number] => [i, i])));
    store.transact(() =>
      tree.load.call(
        store.tree('u', SPEC),
        Array.from({ length: 10 }, (_, i): [number, number] => [i, i]),
      ),
    );
    expect(store.statistics.journalBlocks).toBeGreaterThanOrEqual(128);
    expect([journalBlocksFor(0), journalBlocksFor(12_800), journalBlocksFor(1e6)]).toEqual([64, 200, 1024]);
    expect([...store.check()]).toEqual([]);
  }, 60_000);
});

describe('transactions', () => {
  test('that throw leave nothing behind, and answer what they answer', () => {
    const { store, tree } = counted();
    expect(store.transact(() => 5)).toBe(5);
    tree.set(1, 1);
    expect(() =>
      store.transact(() => {
        tree.set(1, 2);
        tree.clear();
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect([...tree]).toEqual([[1, 1]]);
  });

  test('are not nested, and not asynchronous', async () => {
    const { store, tree } = counted();
    expect(() => store.transact(() => store.transact(() => 1))).toThrow(StateError);
    expect(() => store.transact(() => store.begin())).toThrow(StateError);
    expect(() => store.transact(async () => tree.set(1, 1))).toThrow(TypeError);
    await expect(store.transactAsync(() => Promise.resolve())).rejects.toThrow(TypeError);
    expect(tree.size).toBe(0);
    for (const end of [() => store.commit(), () => store.rollback()]) expect(end).toThrow(StateError);
    await expect(store.commitAsync()).rejects.toThrow(StateError);
  });

  test('after many small commits a rollback folds what it had to replay', () => {
    const { store, tree } = counted();
    for (let i = 0; i < 200; i++) {
      store.transact(() => {
        for (let k = 0; k < 40; k++) tree.set(k * 1000 + i, i);
      });
    }
    const { generation, journalBytes } = store.statistics;
    expect(journalBytes).toBeGreaterThan(65536);
    const all = [...tree];
    store.begin();
    tree.set(5, 5);
    store.rollback();
    expect([...tree]).toEqual(all);
    expect(store.statistics.generation).toBe(generation + 1);
  });

  test('that are open when the store is closed are rolled back', () => {
    const device = new MemoryDevice({ nrBlocks: 0 });
    const store = Store.open(device);
    const tree = store.tree('t', SPEC);
    store.begin();
    tree.set(1, 1);
    store.close();
    store.close();
    expect(() => tree.get(1)).toThrow(StateError);
    expect(() => store.begin()).toThrow(StateError);
    expect(Store.open(device.fork()).tree('t', SPEC).size).toBe(0);
  });
});

describe('asynchronous commits', () => {
  test('callers who wait at once share one write and one flush', async () => {
    const { device, store, tree } = counted();
    const before = device.calls;
    const commits = Array.from({ length: 50 }, (_, i) => store.transactAsync(() => tree.set(i, i)));
    expect(tree.size).toBe(50);
    await Promise.all(commits);
    expect(device.calls.write - before.write).toBe(1);
    expect(device.calls.flush - before.flush).toBe(1);
  });

  test('one that throws takes only itself back', async () => {
    const { store, tree } = counted();
    const first = store.transactAsync(() => tree.set(1, 1));
    const second = store.transactAsync(() => {
      tree.set(2, 2);
      throw new Error('mine');
    });
    const third = store.transactAsync(() => tree.set(3, 3));
    await expect(second).rejects.toThrow('mine');
    await Promise.all([first, third]);
    expect([...tree.keys()]).toEqual([1, 3]);
  });

  test('a synchronous commit takes those with it who wait', async () => {
    const { device, store, tree } = counted();
    const waiting = store.transactAsync(() => tree.set(1, 1));
    store.transact(() => tree.set(2, 2));
    const { flush } = device.calls;
    await waiting;
    expect(device.calls.flush).toBe(flush);
  });

  test('an open transaction does not hold up those who wait', async () => {
    const { store, tree } = counted();
    const waiting = store.transactAsync(() => tree.set(1, 1));
    store.begin();
    tree.set(2, 2);
    await waiting;
    store.rollback();
    expect([...tree.keys()]).toEqual([1]);
    store.begin();
    tree.set(3, 3);
    await store.commitAsync();
    expect([...tree.keys()]).toEqual([1, 3]);
  });

  test('a checkpoint may be on its way while others go on', async () => {
    const device = new CrashDevice({ nrBlocks: 0, asyncFlush: 'held' });
    const store = Store.open(device, { journalBlocks: 4 });
    const tree = store.tree('t', SPEC);
    const { generation } = store.statistics;
    const large = store.transactAsync(() => {
      for (let i = 0; i < 3000; i++) tree.set(i, i);
    });
    for (let i = 0; i < 20; i++) await undefined;
    expect(store.statistics.generation).toBe(generation + 1);
    const small = store.transactAsync(() => tree.set(5000, 1));
    store.begin();
    tree.set(7, 77);
    store.rollback();
    expect([tree.size, tree.get(7)]).toEqual([3001, 7]);
    store.transact(() => tree.set(6000, 1));
    device.finishFlush();
    await Promise.all([large, small]);
    expect([...store.check()]).toEqual([]);
    expect(Store.open(device.durable()).tree('t', SPEC).size).toBe(3002);
  });

  test('too many operations for a record wait for their checkpoint before others begin', async () => {
    const { store, tree } = counted();
    const commits = Array.from({ length: 6 }, (_, n) =>
      store.transactAsync(() => {
        for (let i = 0; i < 2000; i++) tree.set(n * 2000 + i, i);
      }),
    );
    await Promise.all(commits);
    expect(tree.size).toBe(12_000);
    expect([...store.check()]).toEqual([]);
  });

  test('a flush that fails is told to all who wait, and to everyone after', async () => {
    const { device, store, tree } = counted();
    const failure = vi.fn();
    store.on('failure', failure);
    device.inject({ kind: 'error', call: 'flush', at: device.calls.flush });
    const commits = [1, 2].map((i) => store.transactAsync(() => tree.set(i, i)));
    for (const commit of commits) await expect(commit).rejects.toMatchObject({ code: 'PDATA_IO' });
    expect(() => tree.get(1)).toThrow(ReadOnlyError);
    expect(() => store.begin()).toThrow(ReadOnlyError);
    await expect(store.transactAsync(() => 1)).rejects.toThrow(ReadOnlyError);
    expect(failure).toHaveBeenCalledTimes(1);
    store.close();
  });
});

describe('opening', () => {
  test('read-only replays the journal and writes nothing', () => {
    const device = new MemoryDevice({ nrBlocks: 0 });
    const tree = Store.open(device).tree('t', SPEC);
    tree.set(1, 1);
    const image = device.fork();
    const store = Store.open(new ReadOnlyDevice(image));
    expect([store.readOnly, store.tree('t', SPEC).get(1)]).toEqual([true, 1]);
    expect(() => store.tree('t', SPEC).set(1, 2)).toThrow(ReadOnlyError);
    expect(() => store.tree('u', SPEC)).toThrow(StateError);
    expect(() => store.snapshot('s')).toThrow(ReadOnlyError);
    expect(() => store.begin()).toThrow(ReadOnlyError);
    expect(() => store.compact()).toThrow(ReadOnlyError);
    expect([...store.check()]).toEqual([]);
    store.close();
    expect(image.toBytes()).toEqual(device.toBytes());
  });

  test('says what is not there, what is there already, and what is no store', () => {
    const device = new MemoryDevice({ nrBlocks: 0 });
    expect(() => Store.open(device, { create: false })).toThrow(StateError);
    expect(() => Store.open(device, { readOnly: true })).toThrow(StateError);
    Store.open(device, { create: 'new' }).close();
    expect(() => Store.open(device.fork(), { create: 'new' })).toThrow(StateError);
    const other = MemoryDevice.from(new Uint8Array(1 << 20).fill(1));
    expect(() => Store.open(other)).toThrow(expect.objectContaining({ code: 'PDATA_CORRUPT' }));
    expect(() => Store.open(device.fork(), { cacheBytes: 1 })).toThrow(RangeError);
    expect(() => Store.open(device.fork(), { journalBlocks: 3 })).toThrow(RangeError);
  });

  test('a device of fixed length is filled, and no further', () => {
    const tooSmall = new WindowDevice(new MemoryDevice({ nrBlocks: 100 }), { begin: 0, nrBlocks: 100 });
    expect(() => Store.open(tooSmall)).toThrow(NoSpaceError);
    const inner = new MemoryDevice({ nrBlocks: 1000 });
    const store = Store.open(new WindowDevice(inner, { begin: 0, nrBlocks: 1000 }));
    const tree = store.tree('t', SPEC);
    let filled = 0;
    expect(() => {
      for (; ; filled++)
        store.transact(() =>
          tree.setMany(Array.from({ length: 500 }, (_, i): [number, number] => [filled * 500 + i, i])),
        );
    }).toThrow(expect.objectContaining({ code: 'PDATA_NO_SPACE', space: 'metadata' }));
    expect(tree.size).toBe(filled * 500);
    expect(filled).toBeGreaterThan(50);
    store.engine.checkpoint();
    const image = new WindowDevice(inner.fork(), { begin: 0, nrBlocks: 1000 });
    const again = Store.open(image);
    expect(again.tree('t', SPEC).size).toBe(filled * 500);
    again.transact(() => again.tree('t', SPEC).clear());
    again.engine.checkpoint();
    again.tree('t', SPEC).set(1, 1);
    expect([...again.check()]).toEqual([]);
  });
});

test('the free end of the file is given back', () => {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device);
  let largest = 0;
  store.on('grow', ({ to }) => {
    largest = to;
  });
  const tree = store.tree('t', SPEC);
  store.transact(() => {
    for (let i = 0; i < 100_000; i++) tree.set(i, i);
  });
  expect(device.nrBlocks).toBe(largest);
  store.transact(() => tree.clear());
  store.close();
  // Some of what is left lies in the middle; only `compact` moves it.
  expect(device.nrBlocks).toBeLessThan(largest - 64);
  expect(Store.open(device.fork()).tree('t', SPEC).size).toBe(0);
});

test('listeners are told, and their mistakes are theirs', async () => {
  const { store, tree } = counted();
  const told: boolean[] = [];
  const end = store.on('commit', ({ checkpoint }) => told.push(checkpoint));
  tree.set(1, 1);
  store.engine.checkpoint();
  end();
  tree.set(2, 2);
  expect(told).toEqual([false, true]);
  SILENT.commit({ generation: 1, checkpoint: false });
  SILENT.grow({ from: 1, to: 2 });
  SILENT.failure(0);
  const listeners = new Listeners();
  const failure = vi.fn();
  listeners.add('failure', failure);
  listeners.failure(5);
  listeners.grow({ from: 1, to: 2 });
  expect(failure).toHaveBeenCalledWith(5);
});

test('the parts know what they are', async () => {
  const { store } = counted();
  const { engine } = store;
  expect(engine).toBeInstanceOf(Engine);
  expect(engine.disk).toBeInstanceOf(StoreDisk);
  expect(engine.space).toBeInstanceOf(Space);
  expect(new CommitWriter(engine)).toBeInstanceOf(CommitWriter);
  foldStore(engine);
  expect(() =>
    replayOperations(engine, { words: Uint32Array.of(99), bytes: new Uint8Array(4) }, { from: 0, to: 1 }),
  ).toThrow(/not known/);
  expect(() =>
    replayOperations(engine, { words: Uint32Array.of(2), bytes: new Uint8Array(4) }, { from: 0, to: 1 }),
  ).toThrow(/without naming/);
  expect(() =>
    replayOperations(engine, { words: Uint32Array.of(1, 9, 9), bytes: new Uint8Array(12) }, { from: 0, to: 3 }),
  ).toThrow(/not there/);
  expect(openEngine(new MemoryDevice({ nrBlocks: 0 }), {}, SILENT).readOnly).toBe(false);
  const usability = new Usability('for reading', () => undefined);
  expect(() => usability.refuseReadOnly('write')).toThrow(/^Cannot write: for reading$/);
  const group = new GroupCommit({ isLatched: false, writeGroup: () => Promise.resolve() });
  await group.join();
  await group.settled();
  expect(group.hasWaiters).toBe(false);
  store.transact(() => store.tree('u', { value: u32 }));
});
