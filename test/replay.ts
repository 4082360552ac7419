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

function report<T>(suite: string, details: RunDetails<T>): void {
  if (!details.failed) return;
  const path = details.counterexamplePath ? ` --path ${details.counterexamplePath}` : '';
  const line = `npm run test:${suite} -- --seed ${details.seed}${path}`;
  throw new Error(`${defaultReportMessage(details)}\n\nReplay: ${line}`, { cause: details.errorInstance });
}
