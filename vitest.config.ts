import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const sources = new URL('./packages/persistent-data/src/', import.meta.url).pathname;

/** Tests read the TypeScript sources: nothing has to be built before they run. */
const alias = [
  { find: /^persistent-data$/, replacement: `${sources}main/index.ts` },
  { find: /^persistent-data\/([a-z-]+)$/, replacement: `${sources}$1/index.ts` },
];

const shared = { env: { PDATA_VERIFY: '1' }, testTimeout: 20_000 };

export default defineConfig({
  test: {
    // Vitest would leave a core idle, which on two is half of the machine.
    maxWorkers: availableParallelism(),
    projects: [
      { resolve: { alias }, test: { ...shared, name: 'unit', include: ['packages/*/src/**/*.test.ts'] } },
      { resolve: { alias }, test: { ...shared, name: 'suites', include: ['test/**/*.test.ts'] } },
    ],
    coverage: { provider: 'v8', include: ['packages/*/src/**/*.ts'], exclude: ['**/*.test.ts'] },
  },
});
