/**
 * The outputs in docs/cli-pool.md are what the program prints, on both streams. `PDATA_UPDATE_DOCS=1 npx vitest run test/docs/cli-pool.test.ts` writes them
 * anew.
 */

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, test } from 'vitest';
import { isBuilt, scratchFolder } from '../cli/program.ts';
import { expectShown } from './shown-page.ts';

const folder = scratchFolder('docs-pool');

beforeAll(() => {
  const raw = new Uint8Array(4 * 2 ** 20);
  raw.fill(7, 2 ** 20, 2 ** 20 + 200_000);
  writeFileSync(join(folder, 'raw'), raw);
  for (const name of ['vms', 'backup']) rmSync(join(folder, name), { recursive: true, force: true });
});

test.skipIf(!isBuilt)('docs/cli-pool.md shows what the program prints', { timeout: 120_000 }, () => {
  expectShown('cli-pool.md', folder);
});
