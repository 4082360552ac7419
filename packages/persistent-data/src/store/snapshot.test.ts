import { describe, expect, test } from 'vitest';
import { ReadOnlyError, StateError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { u32 } from './codec.ts';
import { Handle } from './handle.ts';
import { RawCollection } from './raw-collection.ts';
import { makeNamedSnapshot, Snapshot } from './snapshot.ts';
import { Store } from './store.ts';
import { StoreDiff } from './store-diff.ts';
import { StoreState } from './store-state.ts';
import { StoreView } from './store-view.ts';

const SPEC = { value: u32 };

function newStore() {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device);
  const tree = store.tree('t', SPEC);
  store.transact(() => {
    for (let i = 0; i < 2000; i++) tree.set(i, i);
  });
  return { device, store, tree };
}

describe('snapshots', () => {
  test('keep a state, and can be changed on their own', () => {
    const { store, tree, device } = newStore();
    const first = store.snapshot('first');
    expect(first).toBeInstanceOf(Snapshot);
    tree.set(5, 55);
    const second = store.snapshot('second');
    const clone = first.snapshot('clone');
    first.tree('t', SPEC).set(5, 555);
    first.tree('own', SPEC).set(1, 1);
    clone.delete('t');
    for (const read of [store, Store.open(device.fork())]) {
      const value = (state: StoreState) => (state.has('t') ? state.tree('t', SPEC).get(5) : undefined);
      expect([read, ...read.snapshots()].map(value)).toEqual([55, 555, 55, undefined]);
      expect(
        read
          .getSnapshot('first')
          .collections()
          .map(({ name }) => name),
      ).toEqual(['own', 't']);
      expect([...read.check()]).toEqual([]);
    }
    expect(second.parentId).toBe(first.id);
    expect(clone.parentId).toBe(first.id);
    expect(first.parentId).toBeUndefined();
    expect(Math.abs(first.created.getTime() - Date.parse(new Date().toISOString()))).toBeLessThan(60_000);
  });

  test('have names of their own', () => {
    const { store } = newStore();
    store.snapshot('a');
    expect(() => store.snapshot('a')).toThrow(StateError);
    expect(() => store.snapshot('')).toThrow(RangeError);
    expect(() => store.snapshot('x'.repeat(221))).toThrow(RangeError);
    expect(() => store.snapshot(5 as never)).toThrow(TypeError);
    expect(() => store.getSnapshot('b')).toThrow(StateError);
    expect(makeNamedSnapshot(store.engine, store, 'ü'.repeat(110)).name).toHaveLength(110);
  });

  test('are restored, and deleted', () => {
    const { store, tree } = newStore();
    const snapshot = store.snapshot('s');
    const other = store.tree('other', SPEC);
    store.transact(() => tree.clear());
    snapshot.restore();
    expect([tree.size, tree.get(7)]).toEqual([2000, 7]);
    expect(() => other.size).toThrow(/no such collection/);
    tree.set(7, 77);
    expect(snapshot.tree('t', SPEC).get(7)).toBe(7);
    expect(store.snapshot('later').parentId).toBe(snapshot.id);
    const handle = snapshot.tree('t', SPEC);
    snapshot.remove();
    expect(() => handle.get(7)).toThrow(StateError);
    expect(() => snapshot.remove()).toThrow(StateError);
    expect(() => snapshot.tree('t', SPEC)).toThrow(StateError);
    expect(tree.get(7)).toBe(77);
    store.getSnapshot('later').remove();
    expect([...store.check()]).toEqual([]);
    expect(store.snapshots()).toEqual([]);
  });

  test('that are rolled back are not there, and their ids may be others’', () => {
    const { store } = newStore();
    store.begin();
    const gone = store.snapshot('gone');
    const tree = store.tree('made', SPEC);
    store.rollback();
    const next = store.snapshot('next');
    store.tree('other', { value: u32, keys: 2 });
    expect(next.id).toBe(gone.id);
    expect(() => gone.tree('t', SPEC)).toThrow(/not there any more/);
    expect(() => tree.set(1, 1)).toThrow(StateError);
    expect(store.has('made')).toBe(false);
  });

  test('cost next to nothing', () => {
    const { store } = newStore();
    const before = store.statistics.nrAllocated;
    store.transact(() => {
      for (let i = 0; i < 20; i++) store.snapshot(`s${i}`);
    });
    expect([...store.check()]).toEqual([]);
    expect(store.statistics.nrAllocated - before).toBeLessThan(10);
  });
});

describe('views', () => {
  test('stay as they are, whatever is changed, and cannot be changed', () => {
    const { store, tree } = newStore();
    const view = store.view();
    expect(view).toBeInstanceOf(StoreView);
    const old = view.tree('t', SPEC);
    store.transact(() => tree.clear());
    store.begin();
    tree.set(1, 1);
    store.rollback();
    expect([old.size, old.get(1999), tree.size]).toEqual([2000, 1999, 0]);
    expect(() => old.set(1, 1)).toThrow(ReadOnlyError);
    expect(() => old.clear()).toThrow(ReadOnlyError);
    expect(() => view.delete('t')).toThrow(ReadOnlyError);
    expect(() => view.tree('new', SPEC)).toThrow(StateError);
    expect([...store.diff(view, store).tree(old)]).toHaveLength(2000);
    expect(store.snapshots()).toEqual([]);
    view.close();
    view.close();
    expect(() => view.collections()).toThrow(StateError);
    expect(() => old.get(1)).toThrow(StateError);
    expect([...store.check()]).toEqual([]);
  });

  test('are dropped when the store is opened again', () => {
    const { store, tree, device } = newStore();
    store.view();
    store.transact(() => tree.clear());
    const again = Store.open(device.fork());
    expect([...again.engine.core.listSnapshots()]).toEqual([]);
    expect([...again.check()]).toEqual([]);
    expect(again.statistics.nrAllocated).toBeLessThan(200);
    store.close();
    const closed = Store.open(device.fork(), { readOnly: true });
    expect([...closed.engine.core.listSnapshots()]).toEqual([]);
    const view = closed.view();
    expect(view.tree('t', SPEC).size).toBe(0);
    view.close();
  });

  test('of a transaction go with it', () => {
    const { store } = newStore();
    store.begin();
    const view = store.view();
    store.rollback();
    expect(() => view.tree('t', SPEC)).toThrow(StateError);
    view.close();
  });
});

describe('collections', () => {
  test('are opened only as what they are', () => {
    const { store } = newStore();
    expect(store).toBeInstanceOf(StoreState);
    expect(() => store.tree('t', { value: u32, keys: 2 })).toThrow(
      /it is "tree keys=1 value=u32", "tree keys=2 value=u32"/,
    );
    expect(() => store.array('t', SPEC)).toThrow(StateError);
    expect(() => store.bitset('t')).toThrow(StateError);
    expect(() => store.tree('x', { value: u32, keys: 9 as never })).toThrow(RangeError);
    expect(() => store.tree('', SPEC)).toThrow(RangeError);
    expect(() => store.tree('x'.repeat(256), SPEC)).toThrow(RangeError);
    expect(() => store.delete('x')).toThrow(StateError);
    expect(store.collections()).toEqual([{ name: 't', kind: 'tree', schema: 'tree keys=1 value=u32', size: 2000 }]);
  });

  test('that are deleted and made anew are others', () => {
    const { store, tree } = newStore();
    const before = store.snapshot('before');
    store.delete('t');
    expect(() => tree.get(1)).toThrow(/no such collection/);
    const anew = store.tree('t', SPEC);
    expect(anew.size).toBe(0);
    expect(() => tree.get(1)).toThrow(StateError);
    const diff = store.diff(before, store);
    expect(diff).toBeInstanceOf(StoreDiff);
    expect(diff.collections()).toEqual([{ kind: 'replaced', name: 't' }]);
    store.delete('t');
    store.bitset('b');
    expect(store.diff(before, store).collections()).toEqual([
      { kind: 'added', name: 'b' },
      { kind: 'removed', name: 't' },
    ]);
    expect(() => [...store.diff(before, store).tree('b')]).toThrow(StateError);
    store.tree('t', { value: u32, keys: 2 });
    expect(() => [...store.diff(before, store).tree('t')]).toThrow(StateError);
  });

  test('differences come in order, with both values', () => {
    const { store, tree } = newStore();
    const before = store.snapshot('before');
    store.transact(() => {
      tree.set(5, 6);
      tree.delete(1000);
      tree.set(5000, 1);
    });
    expect([...store.diff(before, store.head).tree('t')]).toEqual([
      { kind: 'changed', key: 5, before: 5, after: 6 },
      { kind: 'removed', key: 1000, before: 1000, after: undefined },
      { kind: 'added', key: 5000, before: undefined, after: 1 },
    ]);
    expect([...store.diff(store.head, store.head).tree('t')]).toEqual([]);
  });

  test('a handle finds its collection again after a rollback', () => {
    const { store } = newStore();
    const { core } = store.engine;
    const raw = core.collection(core.head, 1)!;
    expect(raw).toBeInstanceOf(RawCollection);
    const place = { branchId: 0, id: 1, name: 't', schema: 'tree keys=1 value=u32', isFrozen: false };
    const handle = new Handle(store.engine, place, raw);
    store.begin();
    expect(handle.writable()).toBe(raw);
    handle.change(() => store.tree('t', SPEC).set(1, 2));
    store.rollback();
    expect(handle.current()).not.toBe(raw);
    expect(handle.current().count).toBe(2000);
    expect(() => new Handle(store.engine, { ...place, isFrozen: true }, raw).writable()).toThrow(ReadOnlyError);
  });
});
