/** Space that runs out: metadata, data, the host's file system. */

import { NoSpaceError, PersistentDataError } from 'persistent-data/base';
import { FaultDevice, type Random, randomThinScript, ThinPlayer, type ThinScript } from 'persistent-data/testing';
import { type Campaign, Failure, type Run, textOf } from './campaign.ts';
import { emptyPool, playerOptions, poolProblem } from './thin-pool.ts';

interface SpaceCase {
  readonly script: ThinScript;
  readonly metadata: number;
  readonly data: number;
  readonly options: Parameters<typeof ThinPlayer.open>[1];
}

function drawCase(random: Random, metadata: number, data: number, nrIds = 6): SpaceCase {
  const script = randomThinScript(random, {
    nrSteps: 80,
    nrIds,
    maxWrite: 60,
    nrVirtualBlocks: 3000,
    weights: { create: nrIds, snapshot: 10, overwrite: 8, discard: 3, delete: 2, hold: 3 },
  });
  return { script, metadata, data, options: playerOptions(metadata, data, random) };
}

/** Metadata or data runs out: every step is done or not, all goes on, and the pool is sound. Answers how often it ran out. */
async function tryPool(each: SpaceCase): Promise<number> {
  const device = emptyPool(each.metadata, each.data);
  const player = ThinPlayer.open(device, each.options);
  try {
    await player.playAll(each.script);
  } catch (error) {
    throw new Failure(textOf(error), each);
  }
  const problem = poolProblem(device, player.allowed);
  if (problem !== undefined) throw new Failure(problem, each);
  return player.nrRefused;
}

/** The host's file system has room for so many blocks more. Answers whether that was too few. */
async function tryHost(each: SpaceCase, blocks: number): Promise<boolean> {
  const inner = emptyPool(each.metadata, each.data);
  const device = new FaultDevice(inner, { faults: [{ kind: 'noSpace', blocks }] });
  const player = ThinPlayer.open(device, each.options);
  let thrown: unknown;
  try {
    await player.playAll(each.script);
  } catch (error) {
    thrown = error;
  }
  const fail = (text: string): never => {
    throw new Failure(`${blocks} blocks of host space: ${text}`, each);
  };
  if (thrown !== undefined && !(thrown instanceof PersistentDataError)) fail(textOf(thrown));
  const problem = poolProblem(inner, player.allowed);
  if (problem !== undefined) fail(problem);
  if (thrown === undefined) return false;
  const isNamed = (error: unknown): boolean =>
    (error instanceof NoSpaceError && error.space === 'host') || (error instanceof Error && isNamed(error.cause));
  if (!isNamed(thrown)) fail(`it is not said to be host space: ${textOf(thrown)}`);
  return true;
}

/** A point is one moment at which space ran out. */
export const ENOSPC: Campaign = {
  name: 'enospc',
  states: 'points',
  hangSeconds: 60,
  ci: { runs: 190 },
  async run({ random, count, note }: Run): Promise<void> {
    const metadata = await tryPool(drawCase(random, random.between(16, 60), 20_000, 50));
    const data = await tryPool(drawCase(random, 512, random.between(5, 300)));
    const each = drawCase(random, 512, 5000);
    let host = 0;
    for (let i = 0; i < 8; i += 1) host += (await tryHost(each, random.below(80))) ? 1 : 0;
    note('metadata', metadata);
    note('data', data);
    note('host', host);
    count(metadata + data + host);
  },
};
