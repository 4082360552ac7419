import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { MemoryDevice } from '../io/index.ts';
import { u32 } from './codec.ts';
import { struct } from './codec-struct.ts';
import { Store } from './store.ts';

// As `node --expose-gc`: nothing here is measured in time, only in bytes.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const COUNT = 20_000;
const CALLS = 50_000;

/** Bytes of the heap that a call takes, in the best of many rounds: until the code is compiled, numbers that pass through it are objects. */
function bytesPerCall(call: (i: number) => unknown, rounds = 60): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds && least >= 1; round++) {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < CALLS; i++) call(i);
    const bytes = (process.memoryUsage().heapUsed - before) / CALLS;
    // A collection in between says nothing.
    if (bytes >= 0) least = Math.min(least, bytes);
  }
  return least;
}

function filled() {
  const store = Store.open(new MemoryDevice({ nrBlocks: 0 }), { cacheBytes: 4 << 20 });
  const numbers = store.tree('numbers', { value: u32 });
  const points = store.tree('points', { value: struct({ x: u32, y: u32 }) });
  store.transact(() => {
    for (let i = 0; i < COUNT; i++) {
      numbers.set(7 * i, i);
      points.set(7 * i, { x: i, y: 2 * i });
    }
  });
  return { store, numbers, points };
}

describe('allocates nothing for each entry', () => {
  test('`get` and `has` of numbers, of keys that are there and not', () => {
    const { numbers } = filled();
    let sum = 0;
    const get = (i: number) => {
      sum = (sum + (numbers.get((i * 13) % (8 * COUNT)) ?? 1)) | 0;
    };
    expect(bytesPerCall(get)).toBeLessThan(1);
    const has = (i: number) => {
      sum = (sum + (numbers.has((i * 13) % (8 * COUNT)) ? 1 : 0)) | 0;
    };
    expect(bytesPerCall(has)).toBeLessThan(1);
    expect(sum).not.toBe(0);
  });

  test('`getInto` of objects; `get` has to make one, which shows that this would be seen', () => {
    const { points } = filled();
    const into = { x: 0, y: 0 };
    expect(bytesPerCall((i) => points.getInto(7 * (i % COUNT), into))).toBeLessThan(1);
    const kept: unknown[] = new Array(CALLS).fill(undefined);
    const get = (i: number) => {
      kept[i] = points.get(7 * (i % COUNT));
    };
    expect(bytesPerCall(get, 5)).toBeGreaterThan(16);
  });

  test('`forEach`, beyond some objects for each scan', () => {
    const { numbers } = filled();
    let sum = 0;
    const visit = (value: number) => {
      sum = (sum + value) | 0;
    };
    const scan = (i: number) => {
      if (i % (CALLS / 10) === 0) numbers.forEach(visit);
    };
    expect(bytesPerCall(scan)).toBeLessThan(1);
  });
});

test('the cache is bound: ten times its size goes through it, and memory stays as it was', () => {
  const cacheBytes = 1 << 20;
  const memory = new MemoryDevice({ nrBlocks: 0 });
  const made = Store.open(memory, { cacheBytes });
  made.tree('t', { value: u32 }).load(
    (function* () {
      for (let i = 0; i < 1_000_000; i++) yield [i, i] as const;
    })(),
  );
  made.close();
  const store = Store.open(memory, { cacheBytes });
  const tree = store.tree('t', { value: u32 });
  const use = () => {
    let sum = 0;
    tree.forEach((value) => {
      sum += value;
    });
    for (let i = 0; i < 20_000; i++) sum += tree.get((i * 65_537) % 1_000_000)!;
    for (const value of tree.values({ reverse: true })) sum += value;
    return sum;
  };
  const memoryNow = () => {
    collectGarbage();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const sum = use();
  const { cached } = store.statistics.cache;
  expect(cached).toBe(cacheBytes / 4096);
  const before = memoryNow();
  expect(use()).toBe(sum);
  expect(store.statistics.cache.cached).toBe(cached);
  expect(store.statistics.cache.blocksRead).toBeGreaterThan(20 * cached);
  // Some slack for what the test library keeps: a leaf more for each hundred that were read would be seen.
  expect(memoryNow() - before).toBeLessThan(cacheBytes / 2);
  store.close();
});
