/**
 * Runs one folder of random tests: `tsx scripts/suite.ts FOLDER [--seed N] [--path P] [--runs N] [--commands N] [VITEST OPTION…]`.
 *
 * Vitest refuses options that it does not know, so they go to `test/replay.ts` through the environment.
 */

import { spawnSync } from 'node:child_process';

const [suite, ...rest] = process.argv.slice(2);
if (suite === undefined)
  throw new Error('usage: tsx scripts/suite.ts FOLDER [--seed N] [--path P] [--runs N] [--commands N]');

const env: NodeJS.ProcessEnv = { ...process.env };
const passed: string[] = [];
for (let i = 0; i < rest.length; i += 1) {
  const [, name, value] = /^--(seed|path|runs|commands)(?:=(.*))?$/.exec(rest[i]!) ?? [];
  if (name === undefined) {
    passed.push(rest[i]!);
  } else {
    if (value === undefined) i += 1;
    const text = value ?? rest[i];
    if (text === undefined) throw new Error(`option --${name} wants a value`);
    env[`PDATA_${name.toUpperCase()}`] = text;
  }
}
// A long run has no time limit of its own.
if (env.PDATA_RUNS !== undefined) passed.push('--testTimeout=0');

const vitest = ['vitest', 'run', '--project', 'suites', `test/${suite}/`, ...passed];
const { status } = spawnSync('npx', vitest, { env, stdio: 'inherit' });
process.exitCode = status ?? 1;
