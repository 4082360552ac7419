/**
 * Parameters of random tests: the same everywhere, set from the command line by `scripts/suite.ts`.
 *
 * ```ts
 * test('insert then lookup', () => { fc.assert(fc.property(...), replay('property')); });
 * ```
 *
 * A failure prints the line that replays it, for example `npm run test:model -- --seed 1234 --path 5:2`.
 */

import { defaultReportMessage, type Parameters, type RunDetails } from 'fast-check';

/**
 * Makes the parameters of `fc.assert`.
 *
 * @param suite - Name of the script `test:SUITE`, which is the folder below `test/`.
 * @param nrRuns - Runs when the command line does not say; 100 by default.
 */
export function replay<T>(suite: string, nrRuns = 100): Parameters<T> {
  const { PDATA_SEED: seed, PDATA_PATH: path, PDATA_RUNS: runs } = process.env;
  return {
    numRuns: runs ? Number(runs) : nrRuns,
    ...(seed ? { seed: Number(seed) } : {}),
    ...(path ? { path } : {}),
    reporter: (details: RunDetails<T>) => report(suite, details),
  };
}

/** How many commands a model test runs on each seed: the command line's `--commands`, else `byDefault`. */
export function nrCommands(byDefault: number): number {
  const { PDATA_COMMANDS: commands } = process.env;
  return commands ? Number(commands) : byDefault;
}

/** What a machine that has other work to do may take, of the time that a test takes at worst where it is alone. */
const BUSY = 4;

/**
 * Time limit of a random test in milliseconds; none for a run that the command line has made longer. It ends what hangs.
 *
 * @param alone - What the test takes at worst on a machine that does nothing else.
 */
export function timeLimit(alone: number): number {
  return process.env.PDATA_RUNS || process.env.PDATA_COMMANDS ? 0 : BUSY * alone;
}

function report<T>(suite: string, details: RunDetails<T>): void {
  if (!details.failed) return;
  const path = details.counterexamplePath ? ` --path ${details.counterexamplePath}` : '';
  const { PDATA_COMMANDS: commands } = process.env;
  const line = `npm run test:${suite} -- --seed ${details.seed}${path}${commands ? ` --commands ${commands}` : ''}`;
  throw new Error(`${defaultReportMessage(details)}\n\nReplay: ${line}`, { cause: details.errorInstance });
}
