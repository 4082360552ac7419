/** The tarballs as users get them: packed, installed elsewhere, imported, compiled against. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const NAMES = ['persistent-data', 'pdata'];
const isBuilt = NAMES.every((name) => existsSync(join(ROOT, 'packages', name, 'dist')));
if (!isBuilt) process.stderr.write('skipped: test/package needs the build: `npm run build`\n');

let folder = '';
const run = (command: string, args: string[], cwd = folder) => execFileSync(command, args, { cwd, encoding: 'utf8' });

function exportsOf(name: string): string[] {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'packages', name, 'package.json'), 'utf8'));
  return Object.keys(exports).filter((key) => key !== './package.json');
}

describe.skipIf(!isBuilt && process.env.CI !== 'true')('the packed packages', () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pdata-package-'));
    for (const name of NAMES) {
      const [packed] = JSON.parse(
        run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], join(ROOT, 'packages', name)),
      ) as { filename: string }[];
      // By tar and not by `npm install`: that asks the registry, and takes seconds.
      mkdirSync(join(folder, 'node_modules', name), { recursive: true });
      run('tar', ['-xzf', packed!.filename, '-C', join('node_modules', name), '--strip-components=1']);
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  }, 60_000);

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test('every entry is imported', () => {
    const names = exportsOf('persistent-data').map((key) => key.replace('.', 'persistent-data'));
    const program = names.map((name) => `await import('${name}');`).join('\n');
    expect(run(process.execPath, ['--input-type=module', '-e', program])).toBe('');
  });

  test('the types compile, without those of Node', () => {
    const lines = exportsOf('persistent-data').map((key, i) => {
      return `export type * as m${i} from '${key.replace('.', 'persistent-data')}';`;
    });
    writeFileSync(join(folder, 'use.ts'), lines.join('\n'));
    const options = ['--module', 'nodenext', '--target', 'es2023', '--strict', '--noEmit', '--types', ''];
    expect(run(join(ROOT, 'node_modules/.bin/tsc'), [...options, 'use.ts'])).toBe('');
  });

  test('`pdata` starts', () => {
    const bin = join(folder, 'node_modules/pdata/bin/pdata.js');
    expect(() => run(process.execPath, [bin])).toThrow(/Command failed/);
  });

  test('the tarball has sources and declarations, and no tests', () => {
    const files = run('find', ['node_modules', '-type', 'f']);
    expect(files).toContain('node_modules/persistent-data/src/base/index.ts');
    expect(files).toContain('node_modules/persistent-data/dist/base/index.d.ts');
    expect(files).toContain('node_modules/persistent-data/LICENSE');
    expect(files).not.toMatch(/\.test\.|tsbuildinfo|tsconfig/);
  });
});
