/** Every TypeScript example in the documents, and every `@example` in the sources, runs. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PRELUDES } from './preludes.ts';

const root = join(import.meta.dirname, '../..');
const generated = join(import.meta.dirname, '.generated');

interface Example {
  /** `file:line`. */
  readonly place: string;
  readonly code: string;
  /** Imports and names that the example takes for granted. */
  readonly prelude?: string | undefined;
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
  const files = filesIn(['packages/persistent-data/src'], '.ts').filter((file) => !file.endsWith('.test.ts'));
  return files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8').replaceAll(/^ *\* ?/gm, '');
    return blocksOf(file, text).map((example) => ({ ...example, prelude: PRELUDES[file] }));
  });
}

async function run({ place, code, prelude }: Example): Promise<void> {
  const file = join(generated, `${place.replaceAll(/[^\w]+/g, '-')}.ts`);
  mkdirSync(generated, { recursive: true });
  // In a block of its own, so that the example may declare what its prelude has.
  writeFileSync(file, prelude === undefined ? `${code}\nexport {};\n` : `${prelude}\n{\n${code}}\nexport {};\n`);
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
