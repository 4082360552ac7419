import { generator, inOrder, sample, shuffled, valuesOf } from './entries.mjs';

const COUNT = 200_000;

/**
 * Uses a small store in all ways and throws it away, so that the compilation of JavaScript (ours, and that of the peers' bindings) is not counted
 * with the first workload: of a million inserts it would be a third.
 */
export async function warmUp(bench) {
  const n = Math.min(bench.n, COUNT);
  const random = generator(1);
  const store = await bench.open(bench.path('warm-up'));
  const ordered = inOrder(n, 8 * n);
  const keys = shuffled(n, random);
  const some = sample(keys, n >> 1, random);
  for (const batch of [ordered, keys, some]) {
    await store.putMany(batch, valuesOf(batch, 0), 0, batch.length);
    await store.commit();
  }
  await store.getMany(some, new Uint8Array(8 * n), 0, some.length);
  for (const scan of [store.scan, store.scanFor ?? store.scan]) {
    for (let i = 0; i < 5; i++) await scan(0, 2 * n);
    for (let i = 0; i < n >> 6; i++) await scan(some[i], 100);
  }
  await store.del(keys, 0, n >> 1);
  await store.commit();
  await store.close();
}
