import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..');

/**
 * Installs what the benchmarks compare with, unless it is there: native add-ons, with a lock file of their own, so that `npm ci` of the project
 * compiles nothing. Answers whether they can be used.
 *
 * Without network they can't be had: that is said aloud, and in CI it is an error.
 */
export function installPeers(): boolean {
  const canLoad = (): boolean => {
    const load = "for (const peer of ['lmdb', 'better-sqlite3', 'classic-level']) await import(peer)";
    const argv = ['--input-type=module', '--eval', `${load}; process.exit()`];
    return (
      existsSync(join(FOLDER, 'node_modules/lmdb')) && spawnSync(process.execPath, argv, { cwd: FOLDER }).status === 0
    );
  };
  if (canLoad()) return true;
  console.error('bench: installing the peers (npm ci in bench/)');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: FOLDER,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status === 0 && canLoad()) return true;
  console.error('bench: THE PEERS COULD NOT BE INSTALLED: there is nothing to compare with');
  if (process.env.CI) process.exit(1);
  return false;
}
