/*
 * CRC-32C of a 4 KiB block, beside native code: `npm run bench -- checksum [OPTION...]`, see bench/kv/options.ts.
 */

import { compareStores } from './kv/compare.ts';

compareStores(
  {
    name: 'checksum',
    defaultN: 16384,
    quickN: 16384,
    peers: ['zlib'],
    workloads: [{ id: 'checksum', title: 'checksum of a block of 4096 bytes' }],
  },
  process.argv.slice(2),
);
