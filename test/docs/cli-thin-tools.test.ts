/** The outputs in docs/cli-thin-tools.md are what the program prints. A block may show only the beginning. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { goldenImage } from '../golden/image.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'packages/pdata/dist/main.js');
const IMAGES = { t1: ['tools', 't1'], gen: ['tools', 'gen'], multi: ['thin', 'multi-64k-clean'] } as const;
const isBuilt = existsSync(MAIN);
if (!isBuilt) process.stderr.write('skipped: test/docs/cli-thin-tools needs the build: `npm run build`\n');

const folder = mkdtempSync(join(tmpdir(), 'pdata-docs-'));
beforeAll(() => {
  for (const [name, [family, image]] of Object.entries(IMAGES)) {
    writeFileSync(join(folder, name), goldenImage(family, image).bytes());
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Each command with what is printed below it. */
const EXAMPLES = [
  ...readFileSync(join(ROOT, 'docs/cli-thin-tools.md'), 'utf8').matchAll(/```console\n([\s\S]*?)```/g),
].flatMap(([, block = '']) =>
  block
    .split(/^\$ pdata /m)
    .slice(1)
    .map((part): [string, string] => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)]),
);

test.skipIf(!isBuilt && process.env.CI !== 'true').each(EXAMPLES)('pdata %s', (command, expected) => {
  const { stdout } = spawnSync(process.execPath, [MAIN, ...command.split(' ')], { cwd: folder, encoding: 'utf8' });
  expect(`${stdout.trimEnd()}\n`.startsWith(expected.trimEnd())).toBe(true);
  expect(expected.trim()).not.toBe('');
});
