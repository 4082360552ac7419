/**
 * `npm run campaign -- NAME [--minutes M] [--seed S] [--runs N] [--states N] [--from I] [--jobs J] [--json]`
 *
 * Runs one campaign of `table.ts`, or with the name `ci` all of them in the amounts of CI, with a worker for each core. Prints one line of JSON for each at its end,
 * also when it is interrupted; ends with 1 when something failed, with 2 when it cannot run here (under `CI=true`; else that is said), and with 130
 * when it was interrupted.
 * Each failure is printed with the line that replays it: the same seed, from that run on, one run.
 */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { Amount, Campaign } from './campaign.ts';
import { conduct, type Summary } from './conduct.ts';
import type { FoundFailure } from './job.ts';
import { CAMPAIGNS, campaignNamed } from './table.ts';

const OPTIONS = {
  minutes: { type: 'string' },
  seed: { type: 'string' },
  runs: { type: 'string' },
  states: { type: 'string' },
  from: { type: 'string' },
  jobs: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const USAGE = `usage: npm run campaign -- NAME [--minutes M] [--seed S] [--runs N] [--states N] [--from I] [--jobs J] [--json]
campaigns: ${CAMPAIGNS.map(({ name }) => name).join(', ')}; ci: all, in the amounts of CI
  --minutes, --runs, --states   when to stop; without one of them, the amount of CI
  --seed S --from I             which random numbers, from which run on (default: the clock, 0; with ci: 1, 0)
  --jobs J                      workers (default: as many as cores)
  --json                        no progress, only the line at the end`;

interface Wishes {
  readonly seed: number;
  readonly from: number;
  readonly jobs: number;
  readonly amount: Amount;
  readonly json: boolean;
}

function number(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text === '' || !Number.isFinite(value) || value < 0)
    throw new Error(`--${name} is "${text}", a number is wanted`);
  return value;
}

const interrupt = new AbortController();

function showFailure(summary: Summary, failure: FoundFailure): void {
  const { campaign, seed } = summary;
  const script = failure.script === '' ? '' : `\n  script: ${failure.script}`;
  const replay = `npm run campaign -- ${campaign} --seed ${seed} --from ${failure.index} --runs 1`;
  process.stderr.write(`\nFAILED ${campaign}: ${failure.message}${script}\n  replay: ${replay}\n${failure.stack}\n`);
}

/** Under `CI=true` the search for a program throws. */
function whyMissing(campaign: Campaign): string | undefined {
  try {
    return campaign.missing?.();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Runs one campaign; true when nothing failed. */
async function runOne(campaign: Campaign, wishes: Wishes): Promise<boolean> {
  const missing = whyMissing(campaign);
  if (missing !== undefined) {
    process.stderr.write(`campaign ${campaign.name} cannot run: ${missing}\n`);
    console.log(JSON.stringify({ campaign: campaign.name, skipped: missing }));
    if (process.env.CI === 'true') process.exitCode = 2;
    return process.env.CI !== 'true';
  }
  const isShown = process.stderr.isTTY && !wishes.json;
  let nrShown = 0;
  const summary = await conduct(campaign, {
    ...wishes,
    interrupted: interrupt.signal,
    onProgress: (sofar) => {
      for (; nrShown < sofar.failures.length; nrShown += 1) showFailure(sofar, sofar.failures[nrShown]!);
      const { runs, states, unit, perSecond, failures } = sofar;
      const line = `${campaign.name}: ${runs} runs, ${states} ${unit}, ${perSecond}/s, ${failures.length} failures`;
      if (isShown) process.stderr.write(`\r${line.padEnd(78)}`);
    },
  });
  if (isShown) process.stderr.write('\r'.padEnd(79).concat('\r'));
  for (; nrShown < summary.failures.length; nrShown += 1) showFailure(summary, summary.failures[nrShown]!);
  const { failures, notes, ...facts } = summary;
  const shown = failures.map(({ index, message, script }) => ({ index, message, script }));
  const interrupted = interrupt.signal.aborted ? { interrupted: true } : {};
  console.log(
    JSON.stringify({ ...facts, ...interrupted, jobs: wishes.jobs, failures: failures.length, ...notes, failed: shown }),
  );
  return failures.length === 0;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.help === true) {
    console.log(USAGE);
    return;
  }
  const [name] = positionals;
  if (name === undefined || positionals.length > 1) throw new Error(USAGE);
  const inCi = name === 'ci';
  const [minutes, runs, states] = (['minutes', 'runs', 'states'] as const).map((key) => number(values[key], key));
  const given = { minutes, runs, states };
  const wanted = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Amount;
  const seed = number(values.seed, 'seed') ?? (inCi ? 1 : Math.floor(Date.now() / 1000));
  const from = number(values.from, 'from') ?? 0;
  const jobs =
    number(values.jobs, 'jobs') ??
    Math.max(1, Math.min(availableParallelism(), wanted.runs ?? Number.POSITIVE_INFINITY));
  process.on('SIGINT', () => interrupt.abort());
  let isSound = true;
  for (const campaign of inCi ? CAMPAIGNS : [campaignNamed(name)]) {
    const isBounded = Object.keys(wanted).length > 0;
    const amount = isBounded ? wanted : campaign.ci;
    isSound = (await runOne(campaign, { seed, from, jobs, amount, json: values.json ?? false })) && isSound;
    if (interrupt.signal.aborted) break;
  }
  if (!isSound) process.exitCode ||= 1;
  if (interrupt.signal.aborted) process.exitCode ||= 130;
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 64;
});
