/**
 * The outputs in docs/cli.md are what the program prints, on both streams. `PDATA_UPDATE_DOCS=1 npx vitest run test/docs/cli.test.ts` writes them
 * anew.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { MemoryDevice } from '../../packages/persistent-data/src/io/index.ts';
import { restoreThinXml } from '../../packages/persistent-data/src/thin/index.ts';
import { isBuilt, scratchFolder } from '../cli/program.ts';
import { SickPool } from '../structures/sick-pool.ts';

const PAGE = join(import.meta.dirname, '../../docs/cli.md');
const BIN = join(import.meta.dirname, '../../packages/pdata/dist/main.js');
const folder = scratchFolder('docs');
const path = (name: string): string => join(folder, name);

/** Two devices, the second a snapshot of the first that differs at its beginning. */
const XML = `<superblock uuid="" time="1" transaction="2" version="2" data_block_size="128" nr_data_blocks="1000">
  <def name="2">
    <range_mapping origin_begin="300" data_begin="300" length="200" time="0"/>
  </def>
  <device dev_id="1" mapped_blocks="301" transaction="0" creation_time="0" snap_time="1">
    <range_mapping origin_begin="0" data_begin="0" length="101" time="0"/>
    <ref name="2"/>
  </device>
  <device dev_id="2" mapped_blocks="301" transaction="1" creation_time="1" snap_time="1">
    <single_mapping origin_block="0" data_block="600" time="1"/>
    <range_mapping origin_begin="1" data_begin="1" length="100" time="0"/>
    <ref name="2"/>
  </device>
</superblock>`;

function makePool(name: string, change: (pool: SickPool) => void = () => undefined): void {
  const device = new MemoryDevice({ nrBlocks: 256 });
  restoreThinXml(device, XML);
  change(new SickPool(device));
  writeFileSync(path(name), device.toBytes());
}

beforeAll(() => {
  makePool('pool');
  makePool('leaky', (pool) => {
    for (const block of [700, 701, 702, 800]) pool.setCount('data', block, 1);
  });
  makePool('sick', (pool) => pool.spoil(pool.children(pool.deviceRoot(1))[0]!));
  writeFileSync(path('pool.xml'), XML.padEnd(4096));
  writeFileSync(path('broken.xml'), XML.replace('length="200"', 'length="2000"'));
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

test.skipIf(!isBuilt)('docs/cli.md shows what the program prints', { timeout: 60_000 }, () => {
  const page = readFileSync(PAGE, 'utf8');
  const real = page.replaceAll(
    /```console\n([\s\S]*?)```/g,
    (_, block: string) => `\`\`\`console\n${withOutputs(block)}\`\`\``,
  );
  if (process.env.PDATA_UPDATE_DOCS === '1') writeFileSync(PAGE, real);
  else expect(page).toBe(real);
});
