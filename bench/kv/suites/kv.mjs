// Large transactions, look-ups and scans.

import { generator, inOrder, lowOf, sample, shuffled, sumsOf, valuesOf } from '../entries.mjs';
import { warmUp } from '../warm-up.mjs';

/** How often what only reads is done in a process. */
const ROUNDS = 5;
const OF_RANDOM = [
  'random-insert',
  'lookup',
  'scan',
  'scan-for',
  'range',
  'overwrite',
  'delete',
  'size',
  'size-compact',
];

export async function run(bench) {
  await warmUp(bench);
  if (bench.wants('sequential-insert')) await sequential(bench);
  if (bench.wants(...OF_RANDOM)) await random(bench);
}

async function sequential(bench) {
  const { n } = bench;
  const keys = inOrder(n);
  const values = valuesOf(keys, 0);
  const store = await bench.open(bench.path('sequential'));
  await bench.time('sequential-insert', n, async () => {
    await store.putMany(keys, values, 0, n);
    await store.commit();
  });
  expectSums(bench, 'sequential', await store.scan(0, n + 1), keys);
  await store.close();
}

async function random(bench) {
  const { n } = bench;
  const random = generator();
  const keys = shuffled(n, random);
  const values = valuesOf(keys, 0);
  const path = bench.path('random');
  let store = await bench.open(path);
  await bench.time('random-insert', n, async () => {
    await store.putMany(keys, values, 0, n);
    await store.commit();
  });
  // Opened anew: what is on the disk is what counts, and no store is left with a log to be folded.
  await store.close();
  bench.report('size', { bytes: bench.bytes(store) / n });
  store = await bench.open(path);
  await reading(bench, store, keys, random);
  const changed = await overwriting(bench, store, keys, random);
  await deleting(bench, store, keys, changed);
  await store.close();
}

async function reading(bench, store, keys, random) {
  const { n } = bench;
  if (!bench.wants('lookup', 'scan', 'scan-for', 'range')) return;
  expectSums(bench, 'warm-up', await store.scan(0, n + 1), keys);
  const count = Math.min(n, 1_000_000);
  const probe = sample(keys, count, random);
  const out = new Uint8Array(8 * count);
  if (bench.wants('lookup')) {
    await store.getMany(probe, out, 0, count >> 2);
    bench.expect('hits', await bench.time('lookup', count, () => store.getMany(probe, out, 0, count), ROUNDS), count);
    const words = new Uint32Array(out.buffer);
    for (let i = 0; i < count; i += 97) bench.expect(`value of ${probe[i]}`, words[2 * i], lowOf(probe[i], 0));
  }
  if (bench.wants('scan'))
    expectSums(bench, 'scan', await bench.time('scan', n, () => store.scan(0, n + 1), ROUNDS), keys);
  if (bench.wants('scan-for')) {
    const scan = store.scanFor ?? store.scan;
    expectSums(bench, 'scan by for…of', await bench.time('scan-for', n, () => scan(0, n + 1), ROUNDS), keys);
  }
  if (bench.wants('range')) {
    const rounds = Math.min(20_000, n);
    const rangesOf100 = async () => {
      let total = 0;
      for (let i = 0; i < rounds; i++) {
        const result = store.scan(probe[i], 100);
        total += (typeof result.then === 'function' ? await result : result).n;
      }
      return total;
    };
    const total = await bench.time('range', rounds, rangesOf100, ROUNDS);
    const sorted = keys.slice().sort();
    let wanted = 0;
    for (let i = 0; i < rounds; i++) wanted += Math.min(100, n - rankOf(sorted, probe[i]));
    bench.expect('entries in ranges', total, wanted);
  }
}

/** The index of a key that is there. */
function rankOf(sorted, key) {
  let begin = 0;
  let end = sorted.length;
  while (end - begin > 1) {
    const middle = (begin + end) >>> 1;
    if (sorted[middle] <= key) begin = middle;
    else end = middle;
  }
  return begin;
}

/** Answers the keys that have version 1 now. */
async function overwriting(bench, store, keys, random) {
  const changed = sample(keys, Math.min(bench.n, 200_000), random);
  if (!bench.wants('overwrite')) return new Set();
  const values = valuesOf(changed, 1);
  await bench.time('overwrite', changed.length, async () => {
    await store.putMany(changed, values, 0, changed.length);
    await store.commit();
  });
  return new Set(changed);
}

async function deleting(bench, store, keys, changed) {
  const { n } = bench;
  if (!bench.wants('delete', 'size-compact')) return;
  const count = n >> 2;
  await bench.time('delete', count, async () => {
    await store.del(keys, 0, count);
    await store.commit();
  });
  const left = keys.subarray(count);
  const version = (key) => (changed.has(key) ? 1 : 0);
  expectSums(bench, 'scan after deleting', await store.scan(0, n + 1), left, version);
  if (!bench.wants('size-compact')) return;
  await store.compact();
  expectSums(bench, 'scan after compacting', await store.scan(0, n + 1), left, version);
  bench.report('size-compact', { bytes: bench.bytes(store) / left.length });
}

function expectSums(bench, what, found, keys, versionOf) {
  const { keySum, valSum } = sumsOf(keys, versionOf);
  bench.expect(`${what}: count`, found.n, keys.length);
  bench.expect(`${what}: sum of keys`, found.keySum, keySum);
  bench.expect(`${what}: sum of values`, found.valSum, valSum);
}
