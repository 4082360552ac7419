/** The program as the system sees it: called by other names, read by pipes that close, started quickly. */

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../packages/pdata/src/commands/table.ts';
import { isBuilt, makeFiles, pdata, scratchFolder } from './program.ts';

const BIN = join(import.meta.dirname, '../../packages/pdata/bin/pdata.js');
/** The bin runs the bundle, which `npm run build` makes of the modules. */
const isBundled = existsSync(join(import.meta.dirname, '../../packages/pdata/bundle/main.js'));
const folder = scratchFolder('program');
const { metadata } = makeFiles(folder);

test.skipIf(!isBuilt || !isBundled)('a link that is named like a command is that command', () => {
  const link = join(folder, 'thin_check');
  symlinkSync(BIN, link);
  const { status, stdout } = spawnSync(process.execPath, [link, metadata], { encoding: 'utf8' });
  expect(stdout).toBe('TRANSACTION_ID=0\nMETADATA_FREE_BLOCKS=1009\n');
  expect(status).toBe(0);
});

test.skipIf(!isBuilt || !isBundled)('a reader that goes away ends it silently, with 64', () => {
  const xml = join(folder, 'large.xml');
  const large = join(folder, 'large');
  const mapping = (_: unknown, i: number): string =>
    `<single_mapping origin_block="${2 * i}" data_block="${i}" time="0"/>`;
  writeFileSync(
    xml,
    `<superblock uuid="" time="0" transaction="1" data_block_size="128" nr_data_blocks="20000">
<device dev_id="1" mapped_blocks="20000" transaction="0" creation_time="0" snap_time="0">
${Array.from({ length: 20_000 }, mapping).join('\n')}
</device></superblock>`,
  );
  writeFileSync(large, '');
  truncateSync(large, 4 << 20);
  execFileSync(process.execPath, [BIN, 'thin_restore', '-i', xml, '-o', large]);
  const script = `"$0" "$1" thin_dump "$2" | head -c 100 >"$3"; echo "\${PIPESTATUS[0]}"`;
  const out = join(folder, 'head');
  const ran = spawnSync('bash', ['-c', script, process.execPath, BIN, large, out], { encoding: 'utf8' });
  expect(ran).toMatchObject({ stdout: '64\n', stderr: '' });
});

test.skipIf(!isBuilt)('no command loads the code of another before it runs', async () => {
  // The table is loaded for every command; a name in it that cannot be loaded would go unseen.
  for (const { name, load } of COMMANDS) expect(typeof (await load()).run, name).toBe('function');
  expect((await pdata(['thin_check', '--version'])).status).toBe(0);
});

test.skipIf(!isBuilt || !isBundled)('it starts within 50 ms of the bare runtime', { timeout: 60_000, retry: 3 }, () => {
  const fastest = (argv: readonly string[]): number => {
    const times = Array.from({ length: 9 }, () => {
      const begin = performance.now();
      spawnSync(process.execPath, argv);
      return performance.now() - begin;
    });
    return Math.min(...times);
  };
  expect(fastest([BIN, 'thin_check', '--version']) - fastest(['-e', '0'])).toBeLessThan(50);
  expect(fastest([BIN, 'thin_check', '-q', metadata]) - fastest(['-e', '0'])).toBeLessThan(150);
});
