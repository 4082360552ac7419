/*
 * Runs a benchmark: `npm run bench -- NAME [ARGUMENT...]` with the name of a file of this folder.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [name = ''] = process.argv.splice(2, 1);
const path = join(import.meta.dirname, `${name}.ts`);
if (name === 'main' || !/^[a-z-]+$/.test(name) || !existsSync(path)) {
  const names = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.ts') && file !== 'main.ts');
  console.error(`benchmarks: ${names.map((file) => file.slice(0, -3)).join(' ')}`);
  process.exitCode = 2;
} else await import(path);
