/*
 * What the peers do not have: `npm run bench -- snapshots [OPTION...]`, see bench/kv/options.ts.
 */

import { compareStores } from './kv/compare.ts';

compareStores(
  {
    name: 'snapshots',
    defaultN: 10_000_000,
    peers: [],
    workloads: [
      { id: 'load-sequential', title: 'sequential insert, per entry' },
      { id: 'load', title: 'bulk load in order, per entry', faster: { than: 'load-sequential', times: 3 } },
      { id: 'snapshot', title: 'snapshot, without the flush', most: 50_000 },
      { id: 'snapshot-remove', title: 'its deletion, without the flush', most: 50_000 },
      { id: 'snapshot-durable', title: 'snapshot, durable' },
      { id: 'snapshot-remove-durable', title: 'its deletion, durable' },
      { id: 'diff', title: 'diff of 1000 changed entries', most: 20_000_000 },
    ],
  },
  process.argv.slice(2),
);
