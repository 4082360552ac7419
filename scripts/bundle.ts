/**
 * Puts the program into few files, packages/pdata/bundle, which is what is installed and what bin/pdata.js runs: of 200 modules it would take 70 ms longer
 * to start. The modules in dist are what tests run. Part of `npm run build`.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const PACKAGE = join(import.meta.dirname, '../packages/pdata');
const BUNDLE = join(PACKAGE, 'bundle');

rmSync(BUNDLE, { recursive: true, force: true });
await build({
  entryPoints: [join(PACKAGE, 'dist/main.js')],
  outdir: BUNDLE,
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  // CommonJS that asks for Node's modules; loaded for `serve --metrics` only.
  external: ['prom-client'],
  logLevel: 'warning',
});
