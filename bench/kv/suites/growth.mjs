// What grows with the tree, with a cache of 64 MiB: n entries are loaded in order, then changed and read at random places.
import { generator, lowOf } from '../entries.mjs';

const COUNT = 200_000;

export async function run(bench) {
  const { n } = bench;
  const count = Math.min(COUNT, n >> 1);
  const random = generator();
  // 32 random bits, so that n may be beyond them.
  const draw = () => Math.floor((random() / 4294967296) * n);
  const driver = await bench.open(bench.path('growth'));
  const { store, tree } = driver;
  await bench.time('load', n, () => {
    tree.load(everySecond(n));
  });
  const keys = Float64Array.from({ length: count }, () => 2 * draw());
  const get = (wanted) => {
    let right = 0;
    for (let i = 0; i < count; i++) if (tree.get(keys[i]) === wanted(keys[i])) right++;
    return right;
  };
  get((key) => lowOf(key, 0));
  const right = await bench.time('lookup', count, () => get((key) => lowOf(key, 0)));
  bench.expect('right values', right, count);
  await bench.time('range', count / 10, () => {
    for (let i = 0; i < count / 10; i++) driver.scan(keys[i], 100);
  });
  await bench.time('overwrite', count, () => {
    store.transact(() => {
      for (let i = 0; i < count; i++) tree.set(keys[i], lowOf(keys[i], 1));
    });
  });
  await bench.time('insert', count, () => {
    store.transact(() => {
      for (let i = 0; i < count; i++) tree.set(keys[i] + 1, lowOf(keys[i], 1));
    });
  });
  await bench.time('append', count, () => {
    store.transact(() => {
      for (let i = 0; i < count; i++) tree.set(2 * (n + i), i);
    });
  });
  await bench.timeEach('commit-1', 300, (i) => {
    tree.set(keys[i], lowOf(keys[i], 1));
  });
  await bench.timeEach('commit-1000', 50, (round) => {
    store.transact(() => {
      for (let i = round * 1000; i < (round + 1) * 1000; i++) tree.set(keys[i % count], lowOf(keys[i % count], 1));
    });
  });
  bench.expect(
    'right values in the end',
    get((key) => lowOf(key, 1)),
    count,
  );
  bench.expect('size', tree.size, n + new Set(keys).size + count);
  await driver.close();
}

function* everySecond(n) {
  const entry = [0, 0];
  for (let i = 0; i < n; i++) {
    entry[0] = 2 * i;
    entry[1] = lowOf(2 * i, 0);
    yield entry;
  }
}
