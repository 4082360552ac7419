/**
 * Times of btree operations in a cache that holds everything: `npx tsx bench/btree.ts [ENTRIES]`. Medians of five rounds, in
 * nanoseconds per entry unless a line says otherwise.
 */

import { BlockManager } from '../packages/persistent-data/src/block-manager/index.ts';
import {
  Btree,
  BtreeBuilder,
  Cursor,
  checkTree,
  diffTrees,
  forEachEntry,
  insertMany,
  PLAIN_U64,
  range,
  removeRange,
} from '../packages/persistent-data/src/btree/index.ts';
import { MemoryDevice } from '../packages/persistent-data/src/io/index.ts';
import { CoreSpaceMap } from '../packages/persistent-data/src/space-map/index.ts';
import { TransactionManager } from '../packages/persistent-data/src/transaction-manager/index.ts';

const n = Number(process.argv[2] ?? 1_000_000);
const nrBlocks = Math.ceil(n / 60) + 4096;
const blockManager = new BlockManager(new MemoryDevice({ nrBlocks }), { cacheBlocks: nrBlocks });
const tm = new TransactionManager(blockManager, new CoreSpaceMap(nrBlocks));
const tree = new Btree(tm, { valueType: PLAIN_U64 });

/** Runs `work` five times and prints the median per entry. */
function time<T>(name: string, count: number, work: () => T, after: (result: T) => void = () => {}): number {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const begin = process.hrtime.bigint();
    const result = work();
    times.push(Number(process.hrtime.bigint() - begin) / count);
    after(result);
  }
  times.sort((a, b) => a - b);
  const [least, , median, , most] = times as [number, number, number, number, number];
  process.stdout.write(
    `${name.padEnd(44)} ${median.toFixed(1).padStart(9)}  (${least.toFixed(1)} to ${most.toFixed(1)})\n`,
  );
  return median;
}

function build(): number {
  const builder = new BtreeBuilder(tm, PLAIN_U64);
  for (let i = 0; i < n; i++) builder.add(0, i, i);
  return builder.finish();
}

process.stdout.write(`${n} entries of 8 bytes, ns per entry: median (least to most) of 5\n`);
const freeTree = (root: number) => tree.delete(root);
const insertTime = time('insert in order, one by one', n, () => insertAll(), freeTree);
const buildTime = time('BtreeBuilder.add', n, build, freeTree);
process.stdout.write(`${'  insert / BtreeBuilder'.padEnd(44)} ${(insertTime / buildTime).toFixed(1).padStart(9)}\n`);

function insertAll(): number {
  let root = tree.empty();
  for (let i = 0; i < n; i++) root = tree.insert(root, i, i);
  return root;
}

/** As many pairs as asked for, in order, from a generator. */
function* pairs(begin: number, stride: number, count: number): Generator<readonly [number, number]> {
  for (let i = 0; i < count; i++) yield [begin + i * stride, i];
}

time('insertMany in order', n, () => insertMany(tree, tree.empty(), pairs(0, 1, n)).root, freeTree);
time(
  'insertMany of n / 10 into n, evenly spread',
  n / 10,
  () => insertMany(tree, build(), pairs(5, 10, n / 10)).root,
  freeTree,
);
time('  of which is the BtreeBuilder', n / 10, build, freeTree);
time(
  'removeRange of the middle 90 %',
  0.9 * n,
  () => removeRange(tree, build(), { begin: n / 20, end: n - n / 20 }).root,
  freeTree,
);
time('  of which is the BtreeBuilder', 0.9 * n, build, freeTree);

const root = build();
let sum = 0;
time('forEachEntry', n, () =>
  forEachEntry(tree, root, (slab, _high, _low, at) => {
    sum += slab.words[at >>> 2]!;
  }),
);
time('Cursor.next and valueAt', n, () => {
  const cursor = new Cursor(tree, root);
  const { words } = blockManager.slab;
  for (let more = cursor.seekFirst(); more; more = cursor.next()) sum += words[cursor.valueAt >>> 2]!;
});
time('Cursor.previous and value', n, () => {
  const cursor = new Cursor(tree, root);
  for (let more = cursor.seekLast(); more; more = cursor.previous()) sum += cursor.value;
});
time('for…of range()', n, () => {
  for (const [, value] of range(tree, root)) sum += value;
});
time('checkTree', n, () => {
  for (const finding of checkTree(tm, root, { valueSize: 8 })) process.stdout.write(`${finding.message}\n`);
});
let key = 1;
const scans = 20_000;
time('100 entries from a random key, by cursor, each scan', scans, () => {
  const cursor = new Cursor(tree, root);
  for (let i = 0; i < scans; i++) {
    key = (key * 16807) % 2147483647;
    let more = cursor.seekHalves(0, key % n);
    for (let j = 0; j < 100 && more; j++, more = cursor.next()) sum += cursor.value;
  }
});
time('100 entries from a random key, by forEachEntry', scans, () => {
  for (let i = 0; i < scans; i++) {
    key = (key * 16807) % 2147483647;
    const begin = key % n;
    forEachEntry(tree, root, (slab, _high, _low, at) => (sum += slab.words[at >>> 2]!), { begin, end: begin + 100 });
  }
});
tm.inc(root);
let changed = root;
for (let i = 0; i < 1000; i++) {
  key = (key * 16807) % 2147483647;
  changed = tree.insert(changed, key % n, n + i);
}
time('diff with 1000 differences, all of it', 1, () => {
  for (const { right } of diffTrees(tree, root, changed)) sum += right ?? 0;
});
blockManager.flush();
time('  with nothing in the cache', 1, () => {
  blockManager.reset();
  for (const { right } of diffTrees(tree, root, changed)) sum += right ?? 0;
});
time('forEachEntry with nothing in the cache', n, () => {
  blockManager.reset();
  forEachEntry(tree, root, (slab, _high, _low, at) => {
    sum += slab.words[at >>> 2]!;
  });
});
if (sum === 0) process.stdout.write('nothing was read\n');
