/*
 * Large transactions, look-ups and scans, beside LMDB, SQLite and LevelDB: `npm run bench -- kv [OPTION...]`, see bench/kv/options.ts.
 */

import { compareStores } from './kv/compare.ts';

compareStores(
  {
    name: 'kv',
    defaultN: 1_000_000,
    workloads: [
      { id: 'sequential-insert', title: 'sequential insert, one transaction', goal: 4 },
      { id: 'random-insert', title: 'random insert, one transaction', goal: 2.5 },
      { id: 'lookup', title: 'random look-up, warm', goal: 2 },
      { id: 'scan', title: 'full scan in order, per entry', goal: 20 },
      { id: 'scan-for', title: 'the same by for…of' },
      { id: 'range', title: 'scan of 100 entries from a random key', goal: 10 },
      { id: 'overwrite', title: 'random overwrite, one transaction', goal: 1.7 },
      { id: 'delete', title: 'random delete, one transaction', goal: 2 },
      { id: 'size', title: 'bytes per entry, after random insert', most: 26, isSize: true },
      { id: 'size-compact', title: 'bytes per entry, after compaction', most: 20, isSize: true },
    ],
  },
  process.argv.slice(2),
);
