/** The program that runs campaigns: interrupted, and where it cannot run. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pdata-campaign-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Program = ChildProcessByStdio<null, Readable, null>;

/** Starts it as `npm run campaign` does; workers keep their progress in `folder`. */
function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  const tsconfig = join(import.meta.dirname, '../tsconfig.sources.json');
  return spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, TMPDIR: folder, TSX_TSCONFIG_PATH: tsconfig, CI: '', ...env },
  });
}

/** Its lines of JSON and its exit code. */
async function endOf(program: Program): Promise<{ lines: Record<string, unknown>[]; code: number | null }> {
  let output = '';
  program.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const code = await new Promise<number | null>((resolve) => program.on('close', resolve));
  return {
    lines: output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    code,
  };
}

/** The run that the first worker is at; -1 before it has begun. */
function currentRun(): number {
  try {
    const [name] = readdirSync(folder).filter((each) => each.startsWith('pdata-campaign-'));
    return new Float64Array(new Uint8Array(readFileSync(join(folder, name ?? '', '0'))).buffer)[0] ?? -1;
  } catch {
    return -1;
  }
}

test('an interrupted campaign prints what it has, and ends with 130', { timeout: 120_000 }, async () => {
  const program = start(['crash', '--seed', '1', '--minutes', '10', '--jobs', '1']);
  const end = endOf(program);
  // Far enough for a report.
  while (currentRun() < 12 && program.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 50));
  program.kill('SIGINT');
  const { lines, code } = await end;
  expect(lines).toMatchObject([{ campaign: 'crash', seed: 1, interrupted: true, failures: 0 }]);
  expect(lines[0]?.runs).toBeGreaterThan(0);
  expect(lines[0]?.states).toBeGreaterThan(0);
  expect(code).toBe(130);
});

test.each([
  ['kernel', 'true', 2],
  ['kernel', '', 0],
])('%s without its programs, with CI="%s", ends with %i and says so', { timeout: 60_000 }, async (name, ci, wanted) => {
  const { lines, code } = await endOf(start([name, '--runs', '1'], { CI: ci, PATH: folder }));
  expect(lines).toMatchObject([{ campaign: name, skipped: expect.stringMatching(/not installed/) }]);
  expect(code).toBe(wanted);
});

test('a campaign that there is not is a wrong call', { timeout: 60_000 }, async () => {
  const program = start(['no-such']);
  program.stdout.resume();
  expect(await new Promise((resolve) => program.on('close', resolve))).toBe(64);
});
