/**
 * The outputs in docs/cli-cache-tools.md are what the program prints, on both streams. `PDATA_UPDATE_DOCS=1 npx vitest run test/docs/cli-cache-tools.test.ts`
 * writes them anew.
 */

import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryDevice } from 'persistent-data/io';
import { damageCache, Random } from 'persistent-data/testing';
import { beforeAll, test } from 'vitest';
import { isBuilt, scratchFolder } from '../cli/program.ts';
import { goldenImage } from '../golden/image.ts';
import { expectShown } from './shown-page.ts';

const folder = scratchFolder('docs-cache');
const path = (name: string): string => join(folder, name);

beforeAll(() => {
  const bytes = goldenImage('cache', 'v2-clean').bytes();
  writeFileSync(path('cache'), bytes);
  writeFileSync(path('live'), goldenImage('cache', 'v1-live').bytes());
  const sick = MemoryDevice.from(bytes.slice());
  damageCache(sick, 'lostHints', new Random(1));
  writeFileSync(path('sick'), sick.toBytes());
  for (const [name, size] of Object.entries({ new: 1 << 20, fast: 5 << 20, slow: 256 << 20 })) {
    writeFileSync(path(name), '');
    truncateSync(path(name), size);
  }
});

test.skipIf(!isBuilt)('docs/cli-cache-tools.md shows what the program prints', { timeout: 60_000 }, () => {
  expectShown('cli-cache-tools.md', folder);
});
