/**
 * The outputs in docs/cli-era-tools.md are what the program prints, on both streams. `PDATA_UPDATE_DOCS=1 npx vitest run test/docs/cli-era-tools.test.ts`
 * writes them anew.
 */

import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryDevice } from 'persistent-data/io';
import { EraPatient } from 'persistent-data/testing';
import { beforeAll, test } from 'vitest';
import { isBuilt, scratchFolder } from '../cli/program.ts';
import { goldenImage } from '../golden/image.ts';
import { expectShown } from './shown-page.ts';

const folder = scratchFolder('docs-era');
const path = (name: string): string => join(folder, name);

beforeAll(() => {
  const bytes = goldenImage('era', 'eras-clean').bytes();
  writeFileSync(path('era'), bytes);
  writeFileSync(path('snap'), goldenImage('era', 'metasnap').bytes());
  const [block = 0] = new EraPatient(MemoryDevice.from(bytes.slice())).eraBlocks;
  writeFileSync(path('sick'), bytes.fill(0, block * 4096, (block + 1) * 4096));
  writeFileSync(path('new'), '');
  truncateSync(path('new'), 1 << 20);
});

test.skipIf(!isBuilt)('docs/cli-era-tools.md shows what the program prints', { timeout: 60_000 }, () => {
  expectShown('cli-era-tools.md', folder);
});
