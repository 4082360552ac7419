/** An error at every single call of a script: on thin metadata and, every third, on a Store. */

import { PersistentDataError } from 'persistent-data/base';
import type { MemoryDevice } from 'persistent-data/io';
import {
  auditThin,
  describePool,
  type Fault,
  FaultDevice,
  type Random,
  randomThinScript,
  ThinPlayer,
  type ThinScript,
  type ThinStep,
} from 'persistent-data/testing';
import { type Campaign, Failure, type Run, textOf } from './campaign.ts';
import { runStoreFault } from './fault-store.ts';
import { CALL_KINDS, faultsAt, isReading, namesReason } from './faults.ts';
import { emptyPool, playerOptions, poolProblem } from './thin-pool.ts';

const SIZES = { metadata: 128, data: 500 };

export interface FaultCase {
  readonly script: ThinScript;
  readonly options: Parameters<typeof ThinPlayer.open>[1];
}

/** Counts the calls of a script that nothing happens to. */
export async function countCalls({ script, options }: FaultCase): Promise<FaultDevice['calls']> {
  const device = new FaultDevice(emptyPool(SIZES.metadata, SIZES.data));
  await ThinPlayer.open(device, options).playAll(script);
  return device.calls;
}

/** Insists that a latched pool refuses all work, each time with the reason. */
function latchProblem(player: ThinPlayer): string | undefined {
  const { metadata } = player;
  const calls: Record<string, () => unknown> = {
    create: () => metadata.createThin(4000),
    commit: () => metadata.commit(),
    allocate: () => metadata.allocateDataBlock(),
    rollback: () => metadata.rollback(),
  };
  for (const [name, call] of Object.entries(calls)) {
    try {
      call();
      // A commit of a transaction that changed nothing does nothing.
      if (name !== 'commit' || metadata.changedThisTransaction) return `${name} succeeds after a failed write or flush`;
    } catch (error) {
      if (!(error instanceof PersistentDataError)) return `${name}, latched, throws ${textOf(error)}`;
      if (!namesReason(error)) return `${name}, latched, does not say why: ${error.message}`;
    }
  }
  return undefined;
}

/** Whether there is no open pool after a step that failed. */
const isOpening = (step: ThinStep | undefined): boolean => step?.[0] === 'reopen' || step?.[0] === 'crash';

/** Plays the rest of a script after a read failed, on a device that works again: whatever the pool says has to be right. */
async function goOn(
  player: ThinPlayer,
  inner: MemoryDevice,
  failed: ThinStep,
  rest: readonly ThinStep[],
): Promise<void> {
  const { pool } = auditThin(inner);
  await player.recover(pool === undefined ? '' : describePool(pool), isOpening(failed) ? 'reopen' : 'rollback');
  await player.playAll(rest);
}

/** What is wrong with how a pool takes one fault; `undefined` when nothing is. */
export async function faultProblem({ script, options }: FaultCase, fault: Fault): Promise<string | undefined> {
  const inner = emptyPool(SIZES.metadata, SIZES.data);
  const device = new FaultDevice(inner, { faults: [fault] });
  let player: ThinPlayer | undefined;
  let done = 0;
  let thrown: unknown;
  try {
    player = ThinPlayer.open(device, options);
    for (; done < script.length; done += 1) {
      const waiting = player.play(script[done] as ThinStep);
      if (waiting !== undefined) await waiting;
    }
    await player.settle();
    player.compare();
  } catch (error) {
    thrown = error;
  }
  if (thrown !== undefined && !(thrown instanceof PersistentDataError)) return `step ${done} throws ${textOf(thrown)}`;
  if (thrown !== undefined && device.shown.length === 0)
    return `step ${done} throws without a fault: ${textOf(thrown)}`;
  if (player === undefined)
    return poolProblem(inner, [ThinPlayer.open(emptyPool(SIZES.metadata, SIZES.data), options).model.describe()]);
  const allowed = [...player.allowed];
  await player.settle().catch(() => undefined);
  if (thrown !== undefined && !isReading(fault) && !isOpening(script[done])) {
    const problem = latchProblem(player);
    if (problem !== undefined) return problem;
  }
  const found = poolProblem(inner.fork(), allowed);
  if (found !== undefined) return `the file, after ${textOf(thrown)}: ${found}`;
  if (thrown === undefined || !isReading(fault)) return undefined;
  device.heal();
  try {
    await goOn(player, inner, script[done] ?? ['await'], script.slice(done + 1));
  } catch (error) {
    return `after a read that failed at step ${done}: ${textOf(error)}`;
  }
  const { problems } = auditThin(inner);
  return problems.length === 0 ? undefined : `after going on: ${problems.slice(0, 3).join('; ')}`;
}

/**
 * A bit of a block on the disk is wrong. What reads it has to say so; what does not is right. Nothing that depends on it is written.
 *
 * @returns What is wrong; `undefined` when nothing is.
 */
export async function bitRotProblem({ script, options }: FaultCase, random: Random): Promise<string | undefined> {
  const middle = Math.floor(script.length / 2);
  const inner = emptyPool(SIZES.metadata, SIZES.data);
  const first = ThinPlayer.open(inner, options);
  await first.playAll([...script.slice(0, middle), ['reopen']]);
  const used = [...auditThin(inner).uses.keys()];
  const fault: Fault = {
    kind: 'bitRot',
    block: random.pick(used),
    bit: random.below(random.chance(0.5) ? 2048 : 32768),
  };
  const now = { ...options, nrDataBlocks: first.model.nrDataBlocks, nrMetadataBlocks: first.model.nrMetadataBlocks };
  const device = new FaultDevice(inner, { faults: [fault] });
  const said = `bit ${fault.bit} of block ${fault.block} is wrong`;
  let allowed: readonly string[] = first.allowed;
  try {
    const player = ThinPlayer.open(device, now, first.model.copy());
    try {
      player.compare();
      await player.playAll(script.slice(middle));
    } finally {
      await player.settle().catch(() => undefined);
      allowed = player.allowed;
    }
  } catch (error) {
    if (!(error instanceof PersistentDataError)) return `${said}: ${textOf(error)}`;
  }
  const problem = poolProblem(inner, allowed);
  return problem === undefined ? undefined : `${said}: ${problem}`;
}

const NR_ROTTEN_BITS = 20;
const CI_RUNS = 8;

/** All faults at all calls of one script. The first scripts are short, so that they are quick in CI. */
export const FAULT: Campaign = {
  name: 'fault',
  states: 'calls that failed',
  hangSeconds: 120,
  ci: { runs: CI_RUNS },
  async run(run: Run): Promise<void> {
    const { random, count, index } = run;
    const nrSteps = index < CI_RUNS ? 30 : 60;
    if (index % 3 === 2) {
      await runStoreFault(run, nrSteps);
      return;
    }
    const script = randomThinScript(random, {
      nrSteps,
      maxWrite: 60,
      nrVirtualBlocks: 2000,
      maxDataBlocks: 1500,
      maxMetadataBlocks: 300,
      weights: { commit: 14, growMetadata: 3, growData: 3 },
    });
    const options = { ...playerOptions(SIZES.metadata, SIZES.data, random), cacheBlocks: random.pick([32, 32, 48]) };
    const each = { script, options };
    for (let i = 0; i < NR_ROTTEN_BITS; i += 1) {
      const problem = await bitRotProblem(each, random);
      count(1);
      if (problem !== undefined) throw new Failure(problem, { script });
    }
    const calls = await countCalls(each);
    for (const kind of CALL_KINDS) {
      for (let at = 0; at < calls[kind]; at += 1) {
        for (const fault of faultsAt(kind, at)) {
          const problem = await faultProblem(each, fault);
          count(1);
          if (problem !== undefined) throw new Failure(problem, { fault, script });
        }
      }
    }
  },
};
