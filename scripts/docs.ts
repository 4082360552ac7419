/**
 * `npm run docs` writes the generated pages; with `--check` it only compares, and fails if one is stale.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { makeFormatPage } from './format-page.ts';
import { makePerformanceNbdPage } from './performance-nbd-page.ts';
import { makePerformanceToolsPage } from './performance-tools-page.ts';

/** Generated pages: path from the repository's root, and what makes the whole text. */
const PAGES: { path: string; make: () => string }[] = [
  { path: 'docs/format.md', make: makeFormatPage },
  { path: 'docs/performance-nbd.md', make: makePerformanceNbdPage },
  { path: 'docs/performance-tools.md', make: makePerformanceToolsPage },
];

const check = process.argv.includes('--check');
for (const { path, make } of PAGES) {
  const url = new URL(`../${path}`, import.meta.url);
  const text = make();
  if (!check) {
    writeFileSync(url, text);
  } else if (readFileSync(url, 'utf8') !== text) {
    console.error(`${path} is stale: run \`npm run docs\``);
    process.exitCode = 1;
  }
}
