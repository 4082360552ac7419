// What the peers do not have: snapshots, differences; and bulk loads. Of a tree of n entries.
import { generator, lowOf } from '../entries.mjs';

const CHANGES = 1000;

export async function run(bench) {
  const { n } = bench;
  await warmUp(bench);
  if (bench.wants('load-sequential')) await sequential(bench);
  const driver = await bench.open(bench.path('snapshots'));
  const { store, tree } = driver;
  await bench.time('load', n, () => {
    tree.load(inOrder(n));
  });
  expectAll(bench, 'loaded', driver.scan(0, n + 1));
  const snapshots = [];
  store.begin();
  await bench.timeEach('snapshot', 200, (round) => {
    snapshots.push(store.snapshot(`s${round}`));
  });
  await bench.timeEach('snapshot-remove', 200, () => {
    snapshots.pop().remove();
  });
  store.commit();
  // On a committed tree, one transaction each, with the flush.
  await bench.timeEach('snapshot-durable', 50, (round) => {
    snapshots.push(store.snapshot(`t${round}`));
  });
  await bench.timeEach('snapshot-remove-durable', 50, () => {
    snapshots.pop().remove();
  });
  const before = store.snapshot('before');
  const random = generator();
  const changed = new Map();
  while (changed.size < CHANGES) changed.set(random() % n, 1);
  store.transact(() => {
    for (const key of changed.keys()) tree.set(key, lowOf(key, 1));
  });
  await bench.timeEach('diff', 11, () => {
    let count = 0;
    let sum = 0;
    for (const { key, after } of store.diff(before, store.head).tree(tree)) {
      count++;
      sum += after === lowOf(key, 1) ? 1 : 0;
    }
    bench.expect('differences', count, CHANGES);
    bench.expect('right differences', sum, CHANGES);
  });
  await driver.close();
}

/** Loads and inserts into small stores that are thrown away, so that compiling is not counted. */
async function warmUp(bench) {
  for (let round = 0; round < 3; round++) {
    const { store, tree, close } = await bench.open(bench.path(`warm-up-${round}`));
    tree.load(inOrder(200_000));
    tree.clear();
    store.transact(() => {
      for (const [key, value] of inOrder(200_000)) tree.set(key, value);
    });
    close();
  }
}

function* inOrder(n) {
  const entry = [0, 0];
  for (let i = 0; i < n; i++) {
    entry[0] = i;
    entry[1] = lowOf(i, 0);
    yield entry;
  }
}

/** The same entries, one by one. */
async function sequential(bench) {
  const { n } = bench;
  const driver = await bench.open(bench.path('sequential'));
  await bench.time('load-sequential', n, () => {
    driver.store.transact(() => {
      for (const [key, value] of inOrder(n)) driver.tree.set(key, value);
    });
  });
  expectAll(bench, 'inserted', driver.scan(0, n + 1));
  await driver.close();
}

function expectAll(bench, what, found) {
  let valSum = 0;
  for (let i = 0; i < bench.n; i++) valSum = (valSum + lowOf(i, 0)) >>> 0;
  bench.expect(`${what}: count`, found.n, bench.n);
  bench.expect(`${what}: sum of values`, found.valSum, valSum);
}
