/** Crash states of thin metadata: see docs/crash-model.md. */

import { NoSpaceError } from 'persistent-data/base';
import type { BlockDevice, MemoryDevice } from 'persistent-data/io';
import {
  CrashDevice,
  type CrashDeviceOptions,
  type CrashPoint,
  type Random,
  randomThinScript,
  shrinkScript,
  ThinPlayer,
  type ThinScript,
  type ThinScriptShape,
  type ThinStep,
} from 'persistent-data/testing';
import { Failure, type Run, textOf } from './campaign.ts';
import { emptyPool, playerOptions, poolProblem, useFoundPool } from './thin-pool.ts';

/** A script and the pool it begins with. */
export interface ThinCrashCase {
  readonly script: ThinScript;
  readonly nrMetadataBlocks: number;
  readonly nrDataBlocks: number;
  /** The most states tried at each crash point. */
  readonly limit: number;
  readonly seed: number;
  readonly options: Parameters<typeof ThinPlayer.open>[1];
  /** For negative controls. */
  readonly device?: Pick<CrashDeviceOptions, 'dropFlush'>;
  /** Wraps the disk, for negative controls. */
  readonly wrap?: (device: CrashDevice) => BlockDevice;
}

/** What a script came to. */
export interface CrashOutcome {
  readonly nrStates: number;
  /** What was wrong first. */
  readonly problem: string | undefined;
}

/** Every so many states the pool that is found is used as well. */
const USE_EVERY = 16;

/** Plays a script on a disk that may lose power at any moment, and looks at what would be left. */
export async function crashThin(each: ThinCrashCase): Promise<CrashOutcome> {
  let nrStates = 0;
  let problem: string | undefined;
  let player: ThinPlayer | undefined;
  const look = (point: CrashPoint): void => {
    if (problem !== undefined || player === undefined) return;
    const { allowed } = player;
    for (const state of point.states({ limit: each.limit, seed: each.seed + point.index })) {
      nrStates += 1;
      const found = stateProblem(state.open(), allowed, nrStates % USE_EVERY === 0);
      if (found === undefined) continue;
      const smallest = point.shrink(state, (device) => stateProblem(device, allowed, false) !== undefined, 200);
      problem = `${point}, state ${smallest}: ${found}`;
      return;
    }
  };
  const image = emptyPool(each.nrMetadataBlocks, each.nrDataBlocks);
  const crash = new CrashDevice({ image, onCrashPoint: look, ...each.device });
  const device = each.wrap?.(crash) ?? crash;
  player = ThinPlayer.open(device, each.options);
  try {
    await playSteps(player, each.script, () => problem !== undefined);
    // At the end, and with what was never flushed.
    if (problem === undefined) look(crash.crashPoint('the end'));
  } catch (error) {
    problem ??= textOf(error);
  }
  return { nrStates, problem };
}

async function playSteps(player: ThinPlayer, script: ThinScript, isOver: () => boolean): Promise<void> {
  for (const step of script) {
    const waiting = player.play(step);
    if (waiting !== undefined) await waiting;
    if (isOver()) return;
  }
  await player.settle();
  player.compare();
}

function stateProblem(device: MemoryDevice, allowed: readonly string[], isUsed: boolean): string | undefined {
  const problem = poolProblem(device, allowed);
  if (problem !== undefined || !isUsed) return problem;
  try {
    return useFoundPool(device);
  } catch (error) {
    return error instanceof NoSpaceError ? undefined : `using it: ${textOf(error)}`;
  }
}

/** What a family of scripts is about. */
const FAMILIES: readonly ((random: Random) => ThinScriptShape)[] = [
  () => ({ nrSteps: 25 }),
  () => ({ nrSteps: 25, weights: { snapshot: 20, overwrite: 10, delete: 8 } }),
  () => ({ nrSteps: 25, maxDataBlocks: 40_000, weights: { growData: 10, shrinkData: 10 } }),
  () => ({ nrSteps: 25, maxMetadataBlocks: 200, weights: { growMetadata: 10, shrinkMetadata: 10 } }),
  () => ({ nrSteps: 25, weights: { hold: 15, release: 12 } }),
  () => ({ nrSteps: 25, weights: { rollback: 15, crash: 5, reopen: 5 } }),
  () => ({ nrSteps: 30, weights: { commit: 3, commitAsync: 20, await: 6 } }),
  () => ({ nrSteps: 12, maxWrite: 120, nrVirtualBlocks: 2000 }),
];

/** Steps of which short scripts are made, all combinations of which are tried in time. */
const SHORT_STEPS: readonly ThinStep[] = [
  ['create', 0],
  ['create', 1],
  ['snapshot', 2, 0],
  ['delete', 0],
  ['write', 0, 5],
  ['writeRun', 0, 0, 40],
  ['overwrite', 2, 5],
  ['discard', 0, 0, 30],
  ['hold'],
  ['release'],
  ['growData', 600],
  ['growMetadata', 80],
  ['rollback'],
  ['transactionId', 9],
  ['commitAsync'],
];

function draw(run: Run): ThinCrashCase {
  const { random, index } = run;
  const seed = random.uint32();
  if (index % 4 === 0) {
    const nr = index / 4;
    const short = [nr, Math.floor(nr / SHORT_STEPS.length), Math.floor(nr / SHORT_STEPS.length ** 2)]
      .map((at) => SHORT_STEPS[at % SHORT_STEPS.length] as ThinStep)
      .flatMap((step, i): ThinStep[] => (i === 0 ? [['create', 0], ['write', 0, 5, 9], ['commit'], step] : [step]));
    const script: ThinScript = [...short, ['commit']];
    return {
      script,
      nrMetadataBlocks: 64,
      nrDataBlocks: 500,
      limit: 3000,
      seed,
      options: playerOptions(64, 500, random),
    };
  }
  const shape = random.pick(FAMILIES)(random);
  const nrMetadataBlocks = random.pick([40, 64, 128]);
  const nrDataBlocks = random.pick([60, 500, 3000]);
  const script = randomThinScript(random, shape);
  const options = playerOptions(nrMetadataBlocks, nrDataBlocks, random);
  return { script, nrMetadataBlocks, nrDataBlocks, limit: 60, seed, options };
}

/** One run: a script, all its crash points, and where one fails the smallest script that does. */
export async function runThinCrash(run: Run): Promise<void> {
  const each = draw(run);
  const { nrStates, problem } = await crashThin(each);
  run.count(nrStates);
  if (problem === undefined) return;
  const fails = async (script: ThinScript) => (await crashThin({ ...each, script })).problem !== undefined;
  const script = await shrinkScript(each.script, fails, 150);
  const last = await crashThin({ ...each, script });
  const { nrMetadataBlocks, nrDataBlocks } = each;
  throw new Failure(last.problem ?? problem, { nrMetadataBlocks, nrDataBlocks, script });
}
