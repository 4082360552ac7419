import { defineConfig } from 'vitest/config';

const sources = new URL('../../packages/persistent-data/src/', import.meta.url).pathname;

/** The tests that boot a kernel. Apart from all others, as they are slow: `npm run test:oracle`. */
// biome-ignore lint/style/noDefaultExport: Vitest wants it.
export default defineConfig({
  resolve: { alias: [{ find: /^persistent-data\/([a-z-]+)$/, replacement: `${sources}$1/index.ts` }] },
  test: {
    // What is compared is small, and the machine may be busy.
    testTimeout: 60_000,
    name: 'oracle',
    include: ['test/oracle/**/*.oracle.ts'],
    root: new URL('../..', import.meta.url).pathname,
    env: { PDATA_VERIFY: '1' },
    // One machine at a time: a guest that stalls for a second commits by itself.
    fileParallelism: false,
  },
});
