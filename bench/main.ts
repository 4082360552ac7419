/*
 * Runs a benchmark: `npm run bench -- NAME [ARGUMENT...]` with the name of a file of this folder. `npm run bench -- --quick` runs those that compare
 * results as well as times, to see that they work.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const QUICK = ['kv', 'commit', 'snapshots', 'checksum'];

if (process.argv[2] === '--quick') {
  for (const name of QUICK) {
    const argv = [...process.execArgv, import.meta.filename, name, ...process.argv.slice(2)];
    const { status } = spawnSync(process.execPath, argv, { stdio: 'inherit' });
    if (status !== 0) process.exit(status ?? 1);
  }
} else {
  const [name = ''] = process.argv.splice(2, 1);
  const path = join(import.meta.dirname, `${name}.ts`);
  if (name === 'main' || !/^[a-z-]+$/.test(name) || !existsSync(path)) {
    const names = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.ts') && file !== 'main.ts');
    console.error(`benchmarks: ${names.map((file) => file.slice(0, -3)).join(' ')}`);
    process.exitCode = 2;
  } else await import(path);
}
