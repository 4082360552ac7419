/*
 * Small durable commits, beside LMDB, SQLite and LevelDB: `npm run bench -- commit [OPTION...]`, see bench/kv/options.ts.
 */

import { compareStores } from './kv/compare.ts';

compareStores(
  {
    name: 'commit',
    defaultN: 1_000_000,
    workloads: [
      { id: 'overwrite-1000', title: '1000 random overwrites, durable commit', goal: 1.5 },
      { id: 'append-1000', title: 'append of 1000, durable commit', goal: 1.5 },
      { id: 'overwrite-1', title: 'one overwrite, durable commit', goals: { sqlite: 0.9, lmdb: 4 } },
      { id: 'group-16', title: 'the same, 16 callers at once, per commit', faster: { than: 'overwrite-1', times: 4 } },
    ],
  },
  process.argv.slice(2),
);
