/**
 * `npm run ok`: everything that has to be green before a change is handed over. Stops at the first failure.
 *
 * With `--ci` it adds what takes longer. What uses one core goes on beside something else that does. The last line counts: each test, and each other
 * step as one.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';

interface Step {
  name: string;
  command: string;
  /** Only with `--ci`. */
  ci?: true;
  /** Goes on beside the steps that follow, up to the end; what it prints is shown when it has ended. */
  beside?: true;
}

const REPORT = '.cache/vitest.json';

const STEPS: Step[] = [
  { name: 'types of tests', command: 'npm run --silent types' },
  { name: 'biome', command: 'npm run --silent lint' },
  { name: 'tests', command: `npm test -- --reporter=default --reporter=json --outputFile.json=${REPORT}` },
  { name: 'knip', command: 'npm run --silent lint:unused' },
  { name: 'publint and attw', command: 'npm run --silent lint:package' },
  { name: 'docs fresh', command: 'npm run --silent docs -- --check' },

  // --- longer steps: only in CI -------------------------------------------------------------------------------------
  { name: 'smoke on node, bun and deno', command: 'npm run --silent smoke', ci: true },
  { name: 'campaigns', command: 'npm run --silent campaign -- ci', ci: true },
  { name: 'kernel oracle', command: 'npm run --silent test:oracle', ci: true, beside: true },
  { name: 'lives of trees', command: 'PDATA_RUNS=15 vitest run test/model/btree.test.ts', ci: true },
  { name: 'benchmarks, to see that their results are right', command: 'npm run --silent bench -- --quick', ci: true },
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

const running = new Set<ChildProcess>();

/** Resolves to whether it went well. */
function run({ name, command, beside }: Step): Promise<boolean> {
  const begin = Date.now();
  const title = `\n=== ${name}: ${command}`;
  if (!beside) console.log(title);
  const child = spawn(command, {
    shell: true,
    // A group of its own, so that all of it can be ended.
    detached: beside === true,
    stdio: beside ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    env: { ...process.env, PATH: `node_modules/.bin:${process.env.PATH}` },
  });
  running.add(child);
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes: Buffer) => said.push(bytes));
  return new Promise((resolve) => {
    child.once('close', (status, signal) => {
      running.delete(child);
      if (beside) process.stdout.write(`${title}\n${Buffer.concat(said)}`);
      const outcome = status === 0 ? 'ok' : `failed (${signal ?? `exit code ${status}`})`;
      console.log(`=== ${name}: ${outcome}, ${Date.now() - begin} ms`);
      resolve(status === 0);
    });
  });
}

function count(step: Step, isOk: boolean): void {
  const nrFailedTests = step.name === 'tests' ? countTests() : undefined;
  // A failed run of tests counts by its tests; as one step when no test was to blame.
  if (!isOk && !nrFailedTests) nrFailed += 1;
  if (isOk && nrFailedTests === undefined) nrPassed += 1;
}

/** Runs the steps in their order, up to the first that fails. */
async function runAll(steps: readonly Step[]): Promise<boolean> {
  const others: Promise<boolean>[] = [];
  for (const step of steps) {
    const done = run(step).then((isOk) => {
      count(step, isOk);
      return isOk;
    });
    if (step.beside) others.push(done);
    else if (!(await done)) return false;
  }
  return (await Promise.all(others)).every((isOk) => isOk);
}

/** Ends what still runs beside, after a failure. */
function endOthers(): void {
  for (const { pid } of running) {
    try {
      process.kill(-(pid as number), 'SIGTERM');
    } catch {
      // It has just ended by itself, or gets the terminal's signal too.
    }
  }
}
process.once('exit', endOthers);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

mkdirSync('.cache', { recursive: true });
rmSync(REPORT, { force: true });
const isGreen = await runAll(STEPS.filter(({ ci }) => inCi || !ci));
console.log(`\n${nrPassed} passed, ${nrFailed} failed`);
process.exitCode = isGreen ? 0 : 1;
endOthers();
