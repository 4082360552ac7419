import { describe, expect, test, vi } from 'vitest';
import { DeviceError, NoSpaceError, StateError } from '../base/index.ts';
import { MemoryDevice, WindowDevice } from '../io/index.ts';
import { FaultDevice, Random } from '../testing/index.ts';
import { u32, u64 } from './codec.ts';
import { struct } from './codec-struct.ts';
import { Store } from './store.ts';

const SPEC = { value: u64 };

function freshStore(device = new MemoryDevice({ nrBlocks: 0 })) {
  const store = Store.open(device);
  return { device, store, tree: store.tree('t', SPEC) };
}

type Tree = ReturnType<typeof freshStore>['tree'];

/** Sets so many keys that a transaction has outgrown the journal, and others in any order until entries gather. */
function fillUntilOpen(store: Store, trees: readonly Tree[], model?: Map<number, number>): number {
  for (let i = 0; ; i++) {
    const key = Math.imul(i, 0x9e37_79b1) >>> 12;
    for (const tree of trees) tree.set(key, i);
    model?.set(key, i);
    if (store.engine.backlog.stamp >= 0 && i > 6000) return i + 1;
  }
}

const sortedEntries = (model: Map<number, number>) => [...model].sort(([a], [b]) => a - b);

describe('whoever looks sees all that was set', () => {
  const looks: Record<string, (tree: Tree, store: Store, key: number) => unknown> = {
    get: (tree, _, key) => expect(tree.get(key)).toBeDefined(),
    has: (tree, _, key) => expect(tree.has(key)).toBe(true),
    getInto: (tree, _, key) => expect(tree.getInto(key, 0)).toBeDefined(),
    size: (tree) => expect(tree.size).toBe([...tree].length),
    range: (tree, _, key) => expect([...tree.range(key, key + 1)]).toHaveLength(1),
    forEach: (tree, _, key) => {
      const keys = new Set<unknown>();
      tree.forEach((_value, k) => {
        keys.add(k);
      });
      expect(keys.has(key)).toBe(true);
    },
    delete: (tree, _, key) => expect(tree.delete(key)).toBe(true),
    deleteRange: (tree, _, key) => expect(tree.deleteRange(key, key + 1)).toBe(1),
    'a snapshot': (tree, store, key) => {
      const value = store.snapshot('s').tree('t', SPEC).get(key);
      expect(value).toBe(tree.get(key));
    },
    'a view': (_, store, key) => expect(store.view().tree('t', SPEC).has(key)).toBe(true),
    'another handle': (_, store, key) => expect(store.tree('t', SPEC).has(key)).toBe(true),
    'a list': (tree, store) => expect(store.collections().map(({ size }) => size)).toEqual([tree.size]),
    'a difference': (_, store, key) => {
      const changes = [...store.diff(store.getSnapshot('empty'), store.head).tree('t')];
      expect(changes.some((change) => change.key === key)).toBe(true);
    },
  };
  test.each(Object.keys(looks))('%s', (name) => {
    const { store, tree } = freshStore();
    store.snapshot('empty');
    store.begin();
    const nr = fillUntilOpen(store, [tree]);
    const key = Math.imul(nr - 1, 0x9e37_79b1) >>> 12;
    looks[name]!(tree, store, key);
    expect(store.engine.backlog.stamp).toBe(-1);
    store.commit();
    expect([...store.check()]).toEqual([]);
  });
});

test.each([1, 2, 3])('any mixture in large transactions is what a map has (seed %i)', async (seed) => {
  const random = new Random(seed);
  const { device, store, tree } = freshStore();
  const other = store.tree('other', { value: u32 });
  const model = new Map<number, number>();
  const otherModel = new Map<number, number>();
  let opened = 0;
  for (let round = 0; round < 6; round++) {
    const saved = new Map(model);
    const savedOther = new Map(otherModel);
    store.begin();
    const way = random.below(3);
    const nr = 4000 + random.below(16_000);
    for (let i = 0; i < nr; i++) {
      const key = way === 0 ? round * 50_000 + i : random.below(way === 1 ? 40_000 : 2 ** 31);
      const value = random.below(1000);
      tree.set(key, value);
      model.set(key, value);
      if (random.below(3) === 0) {
        other.set(key, value);
        otherModel.set(key, value);
      }
      if (store.engine.backlog.stamp >= 0) opened++;
      if (random.below(3000) === 0) expect(tree.get(key)).toBe(value);
      if (random.below(5000) === 0) {
        expect(other.delete(key)).toBe(otherModel.delete(key));
      }
    }
    if (random.below(4) === 0) {
      store.rollback();
      model.clear();
      otherModel.clear();
      for (const [key, value] of saved) model.set(key, value);
      for (const [key, value] of savedOther) otherModel.set(key, value);
    } else if (random.below(2) === 0) {
      store.commit();
    } else {
      await store.commitAsync();
    }
    expect([tree.size, other.size]).toEqual([model.size, otherModel.size]);
  }
  expect(opened).toBeGreaterThan(1000);
  expect([...tree]).toEqual(sortedEntries(model));
  expect([...other]).toEqual(sortedEntries(otherModel));
  expect([...store.check()]).toEqual([]);
  const again = Store.open(device.fork());
  expect([...again.tree('t', SPEC)]).toEqual(sortedEntries(model));
});

test('several trees gather at the same time', () => {
  const { store, tree } = freshStore();
  const other = store.tree('other', SPEC);
  store.begin();
  fillUntilOpen(store, [tree, other]);
  const { stamp } = store.engine.backlog;
  for (let i = 0; i < 2000; i++) {
    tree.set(2 ** 40 + i, i);
    other.set(2 ** 40 + i, i);
  }
  expect(store.engine.backlog.stamp).toBe(stamp);
  store.commit();
  expect(tree.size).toBe(other.size);
  expect([...store.check()]).toEqual([]);
});

test('a transaction that looks again and again soon does without', () => {
  const { store, tree } = freshStore();
  store.begin();
  fillUntilOpen(store, [tree]);
  let openings = 0;
  let { stamp } = store.engine.backlog;
  for (let i = 0; i < 30_000; i++) {
    tree.set(i, i);
    if (i % 100 === 0) expect(tree.get(i)).toBe(i);
    if (store.engine.backlog.stamp !== stamp) openings++;
    ({ stamp } = store.engine.backlog);
  }
  expect(openings).toBeLessThan(40);
  store.commit();
});

test('a wrong key or value changes nothing', () => {
  const { store, tree } = freshStore();
  store.begin();
  fillUntilOpen(store, [tree]);
  const { stamp } = store.engine.backlog;
  expect(() => tree.set(-1, 1)).toThrow(RangeError);
  expect(() => tree.set(77, -1)).toThrow(RangeError);
  expect(() => tree.set(78, 'x' as never)).toThrow(TypeError);
  expect(store.engine.backlog.stamp).toBe(stamp);
  expect([tree.has(77), tree.has(78)]).toEqual([false, false]);
  store.commit();
});

test('a value that looks at the store while it is written is not lost', () => {
  const store = Store.open(new MemoryDevice({ nrBlocks: 0 }));
  const tree = store.tree('t', { value: struct({ a: u32 }) });
  store.begin();
  for (let i = 0; i < 8000; i++) tree.set((i * 7919) % 65_536, { a: i });
  expect(store.engine.backlog.stamp).toBeGreaterThanOrEqual(0);
  const curious = {
    get a() {
      return tree.size;
    },
  };
  tree.set(100_000, curious);
  expect(tree.get(100_000)).toEqual({ a: 8000 });
  store.commit();
  expect(tree.size).toBe(8001);
});

test('a rollback forgets what waits', () => {
  const { store, tree } = freshStore();
  tree.set(1, 1);
  store.begin();
  fillUntilOpen(store, [tree]);
  store.rollback();
  expect([...tree]).toEqual([[1, 1]]);
  expect(() =>
    store.transact(() => {
      fillUntilOpen(store, [tree]);
      throw new Error('no');
    }),
  ).toThrow('no');
  expect([...tree]).toEqual([[1, 1]]);
  store.begin();
  fillUntilOpen(store, [tree]);
  store.close();
});

test('a listener is told that the file grows, and sees everything then', () => {
  const { store, tree } = freshStore();
  const seen: boolean[] = [];
  let last = 0;
  store.on('grow', () => void seen.push(tree.get(last) !== undefined));
  store.transact(() => {
    for (let i = 0; i < 60_000; i++) {
      const key = Math.imul(i, 0x9e37_79b1) >>> 4;
      if (i > 0) last = Math.imul(i - 1, 0x9e37_79b1) >>> 4;
      tree.set(key, i);
    }
  });
  expect(seen.length).toBeGreaterThan(3);
  expect(seen.slice(1)).toEqual(seen.slice(1).map(() => true));
});

test('a device of fixed length is filled by one transaction, and refuses an entry and no commit', () => {
  const inner = new MemoryDevice({ nrBlocks: 3000 });
  const store = Store.open(new WindowDevice(inner, { begin: 0, nrBlocks: 3000 }));
  const tree = store.tree('t', SPEC);
  store.begin();
  let nr = 0;
  expect(() => {
    for (; ; nr++) tree.set(Math.imul(nr, 0x9e37_79b1) >>> 0, nr);
  }).toThrow(NoSpaceError);
  store.commit();
  expect(tree.size).toBe(nr);
  expect(nr).toBeGreaterThan(100_000);
  expect([...store.check()]).toEqual([]);
});

test('a disk that fails while entries are put ends all; the store opens as it was', () => {
  const inner = new MemoryDevice({ nrBlocks: 0 });
  const device = new FaultDevice(inner);
  const store = Store.open(device, { cacheBytes: 256 * 4096 });
  const tree = store.tree('t', SPEC);
  tree.set(1, 1);
  store.begin();
  const write = vi.spyOn(inner, 'write');
  write.mockImplementation(() => {
    throw new DeviceError('Cannot write: the disk is gone');
  });
  expect(() => {
    for (let i = 0; i < 500_000; i++) tree.set(Math.imul(i, 0x9e37_79b1) >>> 0, i);
    store.commit();
  }).toThrow('the disk is gone');
  expect(() => tree.get(1)).toThrow('has to be reopened');
  write.mockRestore();
  expect([...Store.open(inner.fork()).tree('t', SPEC)]).toEqual([[1, 1]]);
});

test('a change that fails half-way while a commit puts entries is rolled back', () => {
  const { store, tree } = freshStore();
  tree.set(1, 1);
  store.begin();
  fillUntilOpen(store, [tree]);
  vi.spyOn(store.engine.space, 'ensure').mockImplementation(() => {
    throw new NoSpaceError('Cannot grow: no', 'metadata');
  });
  expect(() => store.commit()).toThrow('Cannot grow: no');
  vi.restoreAllMocks();
  expect(() => store.commit()).toThrow(StateError);
  expect([...tree]).toEqual([[1, 1]]);
  tree.set(2, 2);
  expect([...store.check()]).toEqual([]);
});
