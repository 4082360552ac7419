// Small transactions, each durable before it returns, on a store of n random entries. Medians of one commit.
import { generator, inOrder, sample, shuffled, sumsOf, valuesOf } from '../entries.mjs';
import { warmUp } from '../warm-up.mjs';

const CALLERS = 16;

export async function run(bench) {
  const { n } = bench;
  await warmUp(bench);
  const random = generator();
  const keys = shuffled(n, random);
  const path = bench.path('commit');
  let store = await bench.open(path);
  await store.putMany(keys, valuesOf(keys, 0), 0, n);
  await store.commit();
  await store.close();
  store = await bench.open(path);
  await store.scan(0, n + 1);
  const versions = new Map();
  const overwritten = sample(keys, Math.min(n, 100_000), random);
  const batch = Math.min(1000, n >> 4);
  const rounds = Math.min(100, Math.floor(overwritten.length / batch));
  if (bench.wants('overwrite-1000')) {
    const values = valuesOf(overwritten, 1);
    await bench.timeEach('overwrite-1000', rounds, (round) => {
      const put = store.putMany(overwritten, values, round * batch, (round + 1) * batch);
      return put === undefined ? store.commit() : put.then(() => store.commit());
    });
    for (let i = 0; i < rounds * batch; i++) versions.set(overwritten[i], 1);
  }
  const appended = inOrder(rounds * batch, 8 * n);
  if (bench.wants('append-1000')) {
    const values = valuesOf(appended, 0);
    await bench.timeEach('append-1000', rounds, (round) => {
      const put = store.putMany(appended, values, round * batch, (round + 1) * batch);
      return put === undefined ? store.commit() : put.then(() => store.commit());
    });
    for (const key of appended) versions.set(key, 0);
  }
  const alone = Math.min(500, n >> 3);
  if (bench.wants('overwrite-1', 'group-16')) {
    const values = valuesOf(overwritten, 2);
    await bench.timeEach('overwrite-1', alone, (round) => {
      const put = store.putMany(overwritten, values, round * 7, round * 7 + 1);
      return put === undefined ? store.commit() : put.then(() => store.commit());
    });
    for (let i = 0; i < alone; i++) versions.set(overwritten[i * 7], 2);
  }
  if (bench.wants('group-16') && store.putAlone !== undefined) {
    const words = new Uint32Array(valuesOf(overwritten, 3).buffer);
    let next = 0;
    const caller = async () => {
      while (next < 20 * alone) {
        const i = next++ % overwritten.length;
        await store.putAlone(overwritten[i], words[2 * i + 1] * 4294967296 + words[2 * i]);
        versions.set(overwritten[i], 3);
      }
    };
    await bench.time('group-16', 20 * alone, () => Promise.all(Array.from({ length: CALLERS }, caller)));
  }
  await store.close();
  store = await bench.open(path);
  const all = [...new Set([...keys, ...versions.keys()])];
  const { keySum, valSum } = sumsOf(all, (key) => versions.get(key) ?? 0);
  const found = await store.scan(0, all.length + 1);
  bench.expect('count', found.n, all.length);
  bench.expect('sum of keys', found.keySum, keySum);
  bench.expect('sum of values', found.valSum, valSum);
  await store.close();
}
