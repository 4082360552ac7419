/**
 * House rules that no other tool checks. Biome has: line width, functions over 70 lines, import cycles, file names in
 * kebab-case, promises, exhaustive switches. TypeScript has: the layers.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { codeOnly } from './tidy/code-only.ts';

/** Files (or folders, ending in `/`) below packages/persistent-data/src that may say `bigint`: u64 at their API. */
const BIGINT_ALLOWED = [
  'base/',
  'format/',
  'btree/',
  'array/',
  'disk-space-map/tree-checker.ts',
  'bitset/',
  'store/',
  'thin/',
  'xml/',
  'nbd/',
  'testing/',
];

/** Sources over 400 lines that were looked at and are to stay whole, each with the reason. */
const LONG_ALLOWED: Record<string, string> = {};

/** Sources whose tests are not beside them: source → the test that covers it. */
const TESTED_ELSEWHERE: Record<string, string> = {
  'packages/persistent-data/src/pool/change-queue.ts': 'packages/persistent-data/src/pool/pool.test.ts',
  'packages/persistent-data/src/pool/format-pool.ts': 'packages/persistent-data/src/pool/pool.test.ts',
  'packages/persistent-data/src/pool/named-status.ts': 'packages/persistent-data/src/pool/pool.test.ts',
  'packages/persistent-data/src/pool/new-record.ts': 'packages/persistent-data/src/pool/pool.test.ts',
  'packages/persistent-data/src/pool/open-volumes.ts': 'packages/persistent-data/src/pool/pool.test.ts',
  'packages/persistent-data/src/pool/pool-volume.ts': 'packages/persistent-data/src/pool/pool.test.ts',
  'packages/persistent-data/src/pool/reconcile.ts': 'packages/persistent-data/src/pool/pool.test.ts',
  'packages/persistent-data/src/pool/volume-name.ts': 'packages/persistent-data/src/pool/pool.test.ts',
  'packages/persistent-data/src/pool/volume-record.ts': 'packages/persistent-data/src/pool/pool.test.ts',
  'packages/persistent-data/src/pool-server/pool-methods.ts':
    'packages/persistent-data/src/pool-server/pool-server.test.ts',
  'packages/persistent-data/src/pool-server/control-server.ts':
    'packages/persistent-data/src/pool-server/pool-server.test.ts',
  'packages/persistent-data/src/pool-server/control-wire.ts':
    'packages/persistent-data/src/pool-server/pool-server.test.ts',
  'packages/persistent-data/src/pool-server/volume-export.ts':
    'packages/persistent-data/src/pool-server/pool-server.test.ts',
  'packages/persistent-data/src/pool-server/volume-source.ts':
    'packages/persistent-data/src/pool-server/pool-server.test.ts',
  'packages/pdata/src/commands/pool-check.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/commands/pool-create.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/commands/pool-grow.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/commands/pool-status.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/commands/pool-table.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/commands/tool-options.ts': 'test/cli/matrix.test.ts',
  'packages/pdata/src/commands/volume-change.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/commands/volume-export.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/commands/volume-import.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/commands/volume-list.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/commands/volume-receive.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/commands/volume-send.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/pool-session.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/raw-file.ts': 'test/cli/pool-commands.test.ts',
  'packages/pdata/src/commands/serve.ts': 'test/interop/pool-server.test.ts',
  'packages/pdata/src/attach-text.ts': 'test/interop/pool-server.test.ts',
  'packages/pdata/src/foreign-pool.ts': 'test/interop/pool-server.test.ts',
  'packages/pdata/src/serve-address.ts': 'test/interop/pool-server.test.ts',
  'packages/pdata/src/serve-log.ts': 'test/interop/pool-server.test.ts',
  'packages/pdata/src/serve-metrics.ts': 'test/interop/pool-server.test.ts',
  'packages/persistent-data/src/nbd/client-connection.ts': 'packages/persistent-data/src/nbd/server.test.ts',
  'packages/persistent-data/src/nbd/option-data.ts': 'packages/persistent-data/src/nbd/negotiation.test.ts',
  'packages/persistent-data/src/nbd/option-reply.ts': 'packages/persistent-data/src/nbd/negotiation.test.ts',
  'packages/persistent-data/src/nbd/read-reply.ts': 'packages/persistent-data/src/nbd/transmission.test.ts',
  'packages/persistent-data/src/nbd/reply.ts': 'packages/persistent-data/src/nbd/transmission.test.ts',
  'packages/persistent-data/src/nbd/server-connection.ts': 'packages/persistent-data/src/nbd/server.test.ts',
  'packages/persistent-data/src/testing/nbd-messages.ts': 'packages/persistent-data/src/nbd/negotiation.test.ts',
  'packages/persistent-data/src/testing/nbd-model-export.ts': 'packages/persistent-data/src/nbd/transmission.test.ts',
  'packages/persistent-data/src/testing/nbd-session-probe.ts':
    'packages/persistent-data/src/nbd/server-session.test.ts',
  'packages/pdata/src/main.ts': 'test/package/package.test.ts',
  'packages/pdata/src/commands/completion.ts': 'packages/pdata/src/completion.test.ts',
  'packages/pdata/src/commands/man.ts': 'packages/pdata/src/completion.test.ts',
  'packages/pdata/src/commands/shell-table.ts': 'packages/pdata/src/completion.test.ts',
  'packages/pdata/src/cache-check-grade.ts': 'packages/pdata/src/commands/cache-tools.test.ts',
  'packages/pdata/src/cache-check-text.ts': 'packages/pdata/src/commands/cache-tools.test.ts',
  'packages/pdata/src/cache-data-devices.ts': 'packages/pdata/src/commands/cache-writeback.test.ts',
  'packages/pdata/src/cache-writeback-run.ts': 'packages/pdata/src/commands/cache-writeback.test.ts',
  'packages/pdata/src/check-command.ts': 'packages/pdata/src/commands/thin-check.test.ts',
  'packages/pdata/src/damage-command.ts': 'packages/pdata/src/commands/thin-generate.test.ts',
  'packages/pdata/src/dump-command.ts': 'packages/pdata/src/commands/thin-tools.test.ts',
  'packages/pdata/src/print-amount.ts': 'packages/pdata/src/commands/thin-tools.test.ts',
  'packages/pdata/src/repair-command.ts': 'packages/pdata/src/commands/thin-tools.test.ts',
  'packages/pdata/src/restore-command.ts': 'packages/pdata/src/commands/thin-restore.test.ts',
  'packages/pdata/src/era-check-grade.ts': 'packages/pdata/src/commands/era-tools.test.ts',
  'packages/pdata/src/era-check-text.ts': 'packages/pdata/src/commands/era-tools.test.ts',
  'packages/pdata/src/era-loss-text.ts': 'packages/pdata/src/commands/era-tools.test.ts',
  'packages/persistent-data/src/era/array-reader.ts': 'packages/persistent-data/src/era/salvage.test.ts',
  'packages/persistent-data/src/era/check-eras.ts': 'packages/persistent-data/src/era/check.test.ts',
  'packages/persistent-data/src/era/fold.ts': 'packages/persistent-data/src/era/xml.test.ts',
  'packages/pdata/src/data-device.ts': 'packages/pdata/src/commands/volume-tools.test.ts',
  'packages/pdata/src/volume-copy.ts': 'packages/pdata/src/commands/volume-tools.test.ts',
  'packages/pdata/src/pack-files.ts': 'packages/pdata/src/commands/thin-tools.test.ts',
  'packages/pdata/src/print-json.ts': 'packages/pdata/src/commands/thin-tools.test.ts',
  'packages/pdata/src/repair-options.ts': 'packages/pdata/src/commands/thin-tools.test.ts',
  'packages/pdata/src/repair-preview-text.ts': 'packages/pdata/src/commands/thin-tools.test.ts',
};

const ROOT = join(import.meta.dirname, '..');
const LIBRARY = 'packages/persistent-data/src/';
const MAX_LINES = 400;

/** What a source has that declares more than types. */
const RUNS = /^export (abstract |async )?(function|const|let|class|\{)/m;

interface Source {
  /** Path from the repository's root. */
  path: string;
  text: string;
  lines: string[];
  /** The lines without comments, strings and regular expressions. */
  code: string[];
  isTest: boolean;
}

const sources = ['packages', 'test', 'scripts', 'examples', 'bench'].flatMap(list).map(load);
const library = sources.filter(({ path, isTest }) => path.startsWith(LIBRARY) && !isTest);
const shipped = sources.filter(({ path, isTest }) => /^packages\/[^/]+\/src\//.test(path) && !isTest);

function list(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory())
      return ['node_modules', 'dist', 'bundle', 'coverage'].includes(entry.name) ? [] : list(path);
    return /\.(ts|mjs|js|sh)$/.test(entry.name) ? [path] : [];
  });
}

function load(path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const code = path.endsWith('.sh') ? text : codeOnly(text);
  return { path, text, lines: text.split('\n'), code: code.split('\n'), isTest: path.endsWith('.test.ts') };
}

/** The offenders, as `file:line: text`. */
function find(among: Source[], pattern: RegExp, where: 'code' | 'lines' = 'code'): string[] {
  return among.flatMap((source) =>
    source[where].flatMap((line, i) =>
      pattern.test(line) ? [`${source.path}:${i + 1}: ${source.lines[i]!.trim()}`] : [],
    ),
  );
}

function outside(among: Source[], folder: string, allowed: string[]): Source[] {
  return among.filter(({ path }) => {
    const inner = relative(folder, path);
    return !allowed.some((entry) => (entry.endsWith('/') ? inner.startsWith(entry) : inner === entry));
  });
}

test('a file or folder is named for what it does', () => {
  const forbidden = /^(utils?|helpers?|common|misc)(\.|$)/;
  expect(sources.map(({ path }) => path).filter((path) => path.split('/').some((p) => forbidden.test(p)))).toEqual([]);
});

test('`Buffer` stays in `io/`, `nbd/` and `pool-server/`', () => {
  expect(find(outside(library, LIBRARY, ['io/', 'nbd/', 'pool-server/']), /\bBuffer\b/)).toEqual([]);
});

test('`bigint` stays in the files listed', () => {
  const pattern = /\bbigint\b|\bBig(Int|Uint64Array|Int64Array)\b|\b(\d[\d_]*|0x[\da-f_]+)n\b/i;
  expect(find(outside(library, LIBRARY, BIGINT_ALLOWED), pattern)).toEqual([]);
});

test('only programs write to the console', () => {
  expect(find(library, /\bconsole\b/)).toEqual([]);
});

test('time comes from the one clock in `base/`', () => {
  const pattern = /\bDate\.now\b|\bperformance\.now\b|\bnew Date\(\)|\bhrtime\b/;
  expect(find(outside(shipped, LIBRARY, ['base/clock.ts']), pattern)).toEqual([]);
});

test('randomness is seeded: `Math.random` stays in `testing/`', () => {
  expect(find(outside(sources, LIBRARY, ['testing/']), /\bMath\.random\b/)).toEqual([]);
});

test(`a source has at most ${MAX_LINES} lines, or a reason`, () => {
  const long = shipped.filter(({ path, lines }) => lines.length - 1 > MAX_LINES && !(path in LONG_ALLOWED));
  expect(long.map(({ path, lines }) => `${path}:${MAX_LINES + 1}: ${lines.length - 1} lines`)).toEqual([]);
});

test('a reminder names its issue, as in "TODO (#12)"', () => {
  const others = sources.filter(({ path }) => path !== 'test/tidy.test.ts');
  expect(find(others, /\b(TODO|FIXME|XXX|HACK)\b(?!.*#\d)/, 'lines')).toEqual([]);
});

test('a layer opens with a module comment', () => {
  const layers = readdirSync(join(ROOT, LIBRARY));
  const silent = layers.filter((layer) => {
    const index = join(ROOT, LIBRARY, layer, 'index.ts');
    return !existsSync(index) || !/^\/\*\*[\s\S]{40,}?\*\//.test(readFileSync(index, 'utf8'));
  });
  expect(silent.map((layer) => `${LIBRARY}${layer}/index.ts:1: wants a module comment`)).toEqual([]);
});

test('a layer is built, and exported under its name', () => {
  const layers = readdirSync(join(ROOT, LIBRARY)).sort();
  const read = (path: string) => JSON.parse(readFileSync(join(ROOT, 'packages/persistent-data', path), 'utf8'));
  const references = read('tsconfig.json').references as { path: string }[];
  expect(references.map(({ path }) => basename(path)).sort()).toEqual(layers);
  const exported = Object.keys(read('package.json').exports).filter((name) => name !== './package.json');
  expect(exported.map((name) => (name === '.' ? 'main' : basename(name))).sort()).toEqual(layers);
});

test('a source has a test: its own, one beside it that imports it, or one that is listed', () => {
  const tests = sources.filter(({ isTest }) => isTest);
  const untested = shipped.filter(({ path, code }) => {
    if (basename(path) === 'index.ts' || (basename(path) !== 'main.ts' && !RUNS.test(code.join('\n')))) return false;
    const named = TESTED_ELSEWHERE[path];
    if (named !== undefined) return !existsSync(join(ROOT, named));
    return !tests.some(
      (t) =>
        t.path === path.replace(/\.ts$/, '.test.ts') ||
        (dirname(t.path) === dirname(path) && t.text.includes(`'./${basename(path)}'`)),
    );
  });
  expect(untested.map(({ path }) => `${path}:1: has no test`)).toEqual([]);
});
