import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StateError, UnsupportedError } from '../base/index.ts';
import { MemoryDevice, WindowDevice } from '../io/index.ts';
import { copyCheckpoint } from './backup.ts';
import { BlockCopy } from './block-copy.ts';
import { NestedBuilder } from './bulk.ts';
import { u32, u64 } from './codec.ts';
import { str } from './codec-bytes.ts';
import { copyStates } from './compact.ts';
import { Store } from './store.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pdata-store-'));
  path = join(folder, 'store.pdata');
});
afterEach(() => rmSync(folder, { recursive: true }));

const NESTED = { keys: 2, value: { a: u32, b: str(5) } } as const;

/** A store with every kind of collection, and snapshots that share most of it. */
function fullStore(where: string | MemoryDevice): Store {
  const store = Store.open(where);
  let x = 1;
  const random = (): number => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return x;
  };
  const tree = store.tree('tree', { value: u64 });
  const nested = store.tree('nested', NESTED);
  const array = store.array('array', { value: u32, length: 3000, fill: 7 });
  const bits = store.bitset('bits', { length: 100_000 });
  store.transact(() => {
    for (let i = 0; i < 20_000; i++) tree.set(random(), i);
    for (let i = 0; i < 2000; i++) nested.set([random() % 50, i], { a: i, b: `x${i % 100}` });
    for (let i = 0; i < 3000; i += 3) array.set(i, i);
    bits.setRange(500, 900);
    store.tree('single', { value: u32 }).set(1, 1);
  });
  store.snapshot('one');
  store.transact(() => {
    for (let i = 0; i < 100; i++) tree.set(random(), i);
    nested.deleteRange([3], [5]);
    array.push(1);
    bits.set(78);
    store.delete('single');
  });
  store.snapshot('two');
  store.transact(() => {
    tree.clear();
    store.tree('single', { value: u32 }).set(2, 2);
  });
  return store;
}

function contentOf(store: Store): unknown {
  return [store.head, ...store.snapshots()].map((state) => [
    [...state.tree('tree', { value: u64 })],
    [...state.tree('nested', NESTED)],
    [...state.array('array', { value: u32 })],
    [...state.bitset('bits')],
    state.has('single') && [...state.tree('single', { value: u32 })],
    state.collections(),
  ]);
}

const namesOf = (store: Store) =>
  store.snapshots().map(({ name, id, parentId, created }) => [name, id, parentId, created]);

describe('a backup', () => {
  test('is the store as it was when it began, although it is changed meanwhile', async () => {
    const store = fullStore(path);
    const wanted = contentOf(store);
    const progress: number[] = [];
    const backup = store.backup(join(folder, 'copy.pdata'), { onProgress: ({ nrCopied }) => progress.push(nrCopied) });
    const tree = store.tree('tree', { value: u64 });
    let isDone = false;
    const done = backup.then(() => {
      isDone = true;
    });
    for (let i = 0; !isDone; i++) {
      await store.transactAsync(() => {
        for (let k = 0; k < 2000; k++) tree.set(k * 31 + i, i);
      });
    }
    await done;
    expect(progress.length).toBeGreaterThan(1);
    expect([...store.check()]).toEqual([]);
    const copy = Store.open(join(folder, 'copy.pdata'));
    expect(contentOf(copy)).toEqual(wanted);
    expect(namesOf(copy)).toEqual(namesOf(store));
    expect([...copy.check()]).toEqual([]);
    copy.tree('tree', { value: u64 }).set(1, 1);
    copy.close();
    store.close();
  });

  test('goes to a device too, if that is large enough', async () => {
    const store = fullStore(new MemoryDevice({ nrBlocks: 0 }));
    const target = new MemoryDevice({ nrBlocks: 0 });
    await store.backup(target);
    expect(contentOf(Store.open(target))).toEqual(contentOf(store));
    const small = new WindowDevice(new MemoryDevice({ nrBlocks: 100 }), { begin: 0, nrBlocks: 100 });
    await expect(store.backup(small)).rejects.toMatchObject({ code: 'PDATA_NO_SPACE' });
    expect(copyCheckpoint).toBeTypeOf('function');
  });

  test('that cannot be made leaves no file', async () => {
    const store = fullStore(path);
    await expect(store.backup(path)).rejects.toThrow(StateError);
    const copy = join(folder, 'copy.pdata');
    const backup = store.backup(copy);
    store.close();
    await expect(backup).rejects.toThrow(StateError);
    expect(existsSync(copy)).toBe(false);
    const again = Store.open(path);
    again.begin();
    await expect(again.backup(copy)).rejects.toThrow(StateError);
    again.close();
  });
});

describe('compaction', () => {
  test('keeps everything, and what is shared shared', () => {
    const store = fullStore(path);
    const before = contentOf(store);
    const names = namesOf(store);
    const handle = store.tree('nested', NESTED);
    const [one] = store.snapshots();
    const { size } = statSync(path);
    const blocks = store.compact();
    expect(blocks.after).toBeLessThan(blocks.before);
    expect(statSync(path).size).toBe(blocks.after * 4096);
    expect(statSync(path).size).toBeLessThan(size);
    expect(contentOf(store)).toEqual(before);
    expect(namesOf(store)).toEqual(names);
    expect(handle.size).toBe([...handle].length);
    expect(one?.tree('tree', { value: u64 }).size).toBe(20_000);
    expect([...store.check()]).toEqual([]);
    handle.set([1, 1], { a: 1, b: '' });
    const told: unknown[] = [];
    store.on('commit', (event) => told.push(event));
    handle.delete([1, 1]);
    expect(told).toHaveLength(1);
    store.compact();
    expect(readdirSync(folder).sort()).toEqual(['store.pdata', 'store.pdata.lock']);
    const wanted = contentOf(store);
    store.close();
    expect(readdirSync(folder)).toEqual(['store.pdata']);
    const again = Store.open(path);
    expect(contentOf(again)).toEqual(wanted);
    expect(again.uuid).toBe(store.uuid);
    expect(again.tree('new', { value: u32 }).size).toBe(0);
    again.close();
  });

  test('makes nodes full where a tree has one version', () => {
    const store = Store.open(path);
    const tree = store.tree('t', { value: u64 });
    store.transact(() => {
      for (let i = 0; i < 100_000; i++) tree.set(Math.imul(i, 0x9e3779b1) >>> 0, i);
    });
    const { before, after } = store.compact();
    expect(after).toBeLessThan(before * 0.9);
    expect(tree.size).toBe(100_000);
    expect([...tree.keys()]).toHaveLength(100_000);
    store.close();
    expect(statSync(path).size / 100_000).toBeLessThan(24);
  });

  test('is refused where it cannot be', () => {
    expect(() => fullStore(new MemoryDevice({ nrBlocks: 0 })).compact()).toThrow(UnsupportedError);
    const store = fullStore(path);
    const view = store.view();
    expect(() => store.compact()).toThrow(/view/);
    view.close();
    store.begin();
    expect(() => store.compact()).toThrow(StateError);
    store.close();
    expect([copyStates, BlockCopy, NestedBuilder].every((part) => typeof part === 'function')).toBe(true);
  });
});
