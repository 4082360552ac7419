/**
 * `npm run ok`: everything that has to be green before a change is handed over. Stops at the first failure.
 *
 * With `--ci` it adds what takes longer. The last line counts: each test, and each other step as one.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';

interface Step {
  name: string;
  command: string;
  /** Only with `--ci`. */
  ci?: true;
}

const REPORT = '.cache/vitest.json';

const STEPS: Step[] = [
  { name: 'build', command: 'npm run --silent build' },
  { name: 'types of tests', command: 'npm run --silent types' },
  { name: 'biome', command: 'npm run --silent lint' },
  { name: 'tests', command: `vitest run --reporter=default --reporter=json --outputFile.json=${REPORT}` },
  { name: 'knip', command: 'npm run --silent lint:unused' },
  { name: 'publint and attw', command: 'npm run --silent lint:package' },
  { name: 'docs fresh', command: 'npm run --silent docs -- --check' },

  // --- longer steps: only in CI -------------------------------------------------------------------------------------
  { name: 'smoke on node, bun and deno', command: 'npm run --silent smoke', ci: true },
  { name: 'campaigns', command: 'npm run --silent campaign -- ci', ci: true },
  { name: 'lives of trees', command: 'PDATA_RUNS=15 vitest run test/model/btree.test.ts', ci: true },
  { name: 'benchmarks, to see that their results are right', command: 'npm run --silent bench -- --quick', ci: true },
  { name: 'kernel oracle', command: 'npm run --silent test:oracle', ci: true },
];

const inCi = process.argv.includes('--ci');
let nrPassed = 0;
let nrFailed = 0;

/** Adds the tests that Vitest counted; `undefined` if it wrote no report. */
function countTests(): number | undefined {
  try {
    const report: { numPassedTests: number; numFailedTests: number } = JSON.parse(readFileSync(REPORT, 'utf8'));
    nrPassed += report.numPassedTests;
    nrFailed += report.numFailedTests;
    return report.numFailedTests;
  } catch {
    return undefined;
  }
}

mkdirSync('.cache', { recursive: true });
rmSync(REPORT, { force: true });
for (const { name, command } of STEPS.filter(({ ci }) => inCi || !ci)) {
  console.log(`\n=== ${name}: ${command}`);
  const begin = Date.now();
  const { status, signal } = spawnSync(command, {
    shell: true,
    stdio: 'inherit',
    env: { ...process.env, PATH: `node_modules/.bin:${process.env.PATH}` },
  });
  const failed = status !== 0;
  console.log(
    `=== ${name}: ${failed ? `failed (${signal ?? `exit code ${status}`})` : 'ok'}, ${Date.now() - begin} ms`,
  );
  const nrFailedTests = name === 'tests' ? countTests() : undefined;
  // A failed run of tests counts by its tests; as one step when no test was to blame.
  if (failed && !nrFailedTests) nrFailed += 1;
  if (!failed && nrFailedTests === undefined) nrPassed += 1;
  if (failed) {
    process.exitCode = 1;
    break;
  }
}
console.log(`\n${nrPassed} passed, ${nrFailed} failed`);
