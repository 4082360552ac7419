/** Every TypeScript example in the documents, and every `@example` in the sources, runs. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { contextOf } from './preludes.ts';

const root = join(import.meta.dirname, '../..');
const SOURCES = 'packages/persistent-data/src';
const generated = join(import.meta.dirname, '.generated');

interface Example {
  /** `file:line`. */
  readonly place: string;
  readonly code: string;
  /** Of an example in a source: the file's path below `src/`. */
  readonly source?: string;
}

/** Files below some folders of the repository whose names end in `ending`, sorted. */
function filesIn(folders: readonly string[], ending: string): string[] {
  const found = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  return found.filter((file) => file.endsWith(ending)).sort();
}

/** Code blocks marked `ts`, with the line each begins at. */
function blocksOf(file: string, text: string): Example[] {
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => ({
    place: `${file}:${text.slice(0, match.index).split('\n').length}`,
    code: match[1]!,
  }));
}

function documentExamples(): Example[] {
  const files = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...filesIn(['docs'], '.md')];
  return files.flatMap((file) => blocksOf(file, readFileSync(join(root, file), 'utf8')));
}

/** Examples in comments: the stars in front of the lines go, so that the blocks look like those of a document. */
function sourceExamples(): Example[] {
  const files = filesIn([SOURCES], '.ts').filter((file) => !file.endsWith('.test.ts'));
  return files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8').replaceAll(/^ *\* ?/gm, '');
    return blocksOf(file, text).map((example) => ({ ...example, source: file.slice(SOURCES.length + 1) }));
  });
}

/** Imports those exports of the example's own layer that it names and its context does not declare. */
async function importsFor(source: string, code: string, context: string): Promise<string> {
  const layer = source.split('/')[0]!;
  const exports = Object.keys((await import(join(root, SOURCES, layer, 'index.ts'))) as object);
  const names = exports.filter((name) => new RegExp(`\\b${name}\\b`).test(code + context));
  const missing = names.filter((name) => !new RegExp(`import \\{[^}]*\\b${name}\\b`).test(context));
  return missing.length === 0 ? '' : `import { ${missing.join(', ')} } from 'persistent-data/${layer}';\n`;
}

async function run({ place, code, source }: Example): Promise<void> {
  const file = join(generated, `${place.replaceAll(/[^\w]+/g, '-')}.ts`);
  mkdirSync(generated, { recursive: true });
  if (source === undefined) {
    writeFileSync(file, `${code}\nexport {};\n`);
  } else {
    const context = contextOf(source);
    // In a block of its own, so that the example may declare what its context has.
    writeFileSync(file, `${await importsFor(source, code, context)}${context}\n{\n${code}}\nexport {};\n`);
  }
  await import(file);
}

describe.each([
  ['documents', documentExamples()],
  ['sources', sourceExamples()],
])('examples in %s', (_, examples) => {
  const home = process.cwd();
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'example-'));
    process.chdir(folder);
    vi.spyOn(console, 'log').mockImplementation(() => undefined);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    process.chdir(home);
    rmSync(folder, { recursive: true });
  });
  afterAll(() => rmSync(generated, { recursive: true, force: true }));

  test('there are some', () => expect(examples.length).toBeGreaterThan(0));
  test.each(examples.map((example) => [example.place, example] as const))('%s', async (_place, example) => {
    await run(example);
  });
});
