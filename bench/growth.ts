/*
 * What grows with the tree, in a cache of 64 MiB: `npm run bench -- growth [OPTION...]`, see bench/kv/options.ts.
 */

import { compareStores } from './kv/compare.ts';

const argv = process.argv.slice(2);
const sizes = argv.includes('--n') || argv.includes('--quick') ? [1_000_000] : [1_000_000, 10_000_000, 100_000_000];

for (const defaultN of sizes) {
  compareStores(
    {
      name: 'growth',
      defaultN,
      peers: [],
      cacheBytes: 2 ** 26,
      workloads: [
        { id: 'load', title: 'bulk load in order, per entry' },
        { id: 'append', title: 'append, one transaction' },
        { id: 'lookup', title: 'random look-up' },
        { id: 'overwrite', title: 'random overwrite, one transaction' },
        { id: 'insert', title: 'random insert, one transaction' },
        { id: 'range', title: 'scan of 100 entries from a random key' },
        { id: 'commit-1', title: 'one overwrite, durable commit' },
        { id: 'commit-1000', title: '1000 random overwrites, durable commit' },
      ],
    },
    argv,
  );
}
