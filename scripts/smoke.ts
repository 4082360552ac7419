/**
 * `npm run smoke`: runs `test/smoke/smoke.mjs` on Node, Bun and Deno against the build. Bun and Deno are installed
 * into `test/smoke/` the first time, and whenever its lock file is newer than what is installed.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '../test/smoke');
const BIN = join(FOLDER, 'node_modules/.bin');
const PROGRAM = join(FOLDER, 'smoke.mjs');

function modifiedMs(path: string): number {
  return statSync(join(FOLDER, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

if (modifiedMs('node_modules/.package-lock.json') < modifiedMs('package-lock.json')) {
  execFileSync('npm', ['ci', '--no-fund', '--no-audit'], { cwd: FOLDER, stdio: 'inherit' });
}

const runs: [string, string[]][] = [
  [process.execPath, [PROGRAM]],
  [join(BIN, 'bun'), [PROGRAM]],
  [join(BIN, 'deno'), ['run', '--allow-all', '--no-prompt', PROGRAM]],
];
for (const [command, args] of runs) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', timeout: 120_000 });
  if (status !== 0) {
    console.error(`smoke: ${command} failed: ${error?.message ?? `exit code ${status}`}`);
    process.exitCode = 1;
  }
}
