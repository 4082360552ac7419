#!/usr/bin/env node
import { existsSync, readdirSync, statSync } from 'node:fs';

const at = (path) => new URL(path, import.meta.url);

/** When the compiler last wrote something, in a repository; 0 where the program is installed. */
function lastCompiled() {
  const modified = (path) => statSync(at(path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const library = '../../persistent-data/dist/';
  const own = modified('../dist/tsconfig.tsbuildinfo');
  if (own === 0 || !existsSync(at(library))) return own;
  return Math.max(own, ...readdirSync(at(library)).map((layer) => modified(`${library}${layer}/tsconfig.tsbuildinfo`)));
}

const bundled = statSync(at('../bundle/built'), { throwIfNoEntry: false })?.mtimeMs ?? -1;
if (bundled >= lastCompiled()) {
  await import('../bundle/main.js');
} else if (existsSync(at('../dist/main.js'))) {
  await import('../dist/main.js');
} else {
  process.stderr.write('pdata: not built yet: run `npm run build` in the repository first\n');
  process.exitCode = 1;
}
