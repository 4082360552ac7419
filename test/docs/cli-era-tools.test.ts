/**
 * The outputs in docs/cli-era-tools.md are what the program prints, on both streams. `PDATA_UPDATE_DOCS=1 npx vitest run test/docs/cli-era-tools.test.ts`
 * writes them anew.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryDevice } from 'persistent-data/io';
import { EraPatient } from 'persistent-data/testing';
import { beforeAll, expect, test } from 'vitest';
import { isBuilt, scratchFolder } from '../cli/program.ts';
import { goldenImage } from '../golden/image.ts';

const PAGE = join(import.meta.dirname, '../../docs/cli-era-tools.md');
const BIN = join(import.meta.dirname, '../../packages/pdata/bin/pdata.js');
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
  writeFileSync(path('pdata'), `#!/bin/sh\nexec ${process.execPath} ${BIN} "$@"\n`);
  chmodSync(path('pdata'), 0o755);
});

/** What a shell prints for a command, both streams in one. */
function output(command: string): string {
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
  const { stdout } = spawnSync('sh', ['-c', `{ ${command}; } 2>&1`], { cwd: folder, env, encoding: 'utf8' });
  return stdout === '' || stdout.endsWith('\n') ? stdout : `${stdout}\n`;
}

/** A block of commands with their outputs. */
function withOutputs(block: string): string {
  const commands = block.split('\n').filter((line) => line.startsWith('$ '));
  return commands.map((line) => `${line}\n${output(line.slice(2))}`).join('');
}

test.skipIf(!isBuilt)('docs/cli-era-tools.md shows what the program prints', { timeout: 60_000 }, () => {
  const page = readFileSync(PAGE, 'utf8');
  const real = page.replaceAll(
    /```console\n([\s\S]*?)```/g,
    (_, block: string) => `\`\`\`console\n${withOutputs(block)}\`\`\``,
  );
  if (process.env.PDATA_UPDATE_DOCS === '1') writeFileSync(PAGE, real);
  else expect(page).toBe(real);
});
