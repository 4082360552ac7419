import { auditThin, randomThinScript, shrinkScript, ThinPlayer, type ThinScript } from 'persistent-data/testing';
import { type Campaign, Failure, type Run, textOf } from './campaign.ts';
import { emptyPool, playerOptions, poolProblem } from './thin-pool.ts';

const CI_RUNS = 300;
const NR_STEPS = 200;

/** What is wrong with what a pool says and commits; `undefined` when nothing is. */
export async function modelProblem(
  script: ThinScript,
  sizes: { readonly metadata: number; readonly data: number },
  options: Parameters<typeof ThinPlayer.open>[1],
): Promise<string | undefined> {
  const device = emptyPool(sizes.metadata, sizes.data);
  const player = ThinPlayer.open(device, options);
  try {
    for (const [i, step] of script.entries()) {
      const waiting = player.play(step);
      if (waiting !== undefined) await waiting;
      if (i % 10 === 9) player.compare();
      if (step[0] !== 'commit') continue;
      const { problems } = auditThin(device);
      if (problems.length > 0) return problems.slice(0, 3).join('; ');
    }
    await player.settle();
    player.compare();
    return poolProblem(device, player.allowed);
  } catch (error) {
    return textOf(error);
  }
}

/** Random workloads: whatever a pool is asked, it says what the model says; after each commit it is sound to the last count. */
export const MODEL: Campaign = {
  name: 'model',
  states: 'operations',
  hangSeconds: 60,
  ci: { runs: CI_RUNS },
  async run({ random, count, index }: Run): Promise<void> {
    const sizes = { metadata: random.pick([64, 128, 512]), data: random.pick([100, 1000, 20_000]) };
    const shape = {
      nrSteps: index < CI_RUNS ? NR_STEPS : 5 * NR_STEPS,
      nrIds: random.pick([4, 12, 300]),
      nrVirtualBlocks: random.pick([50, 500, 5000]),
      maxWrite: random.pick([5, 30, 200]),
      maxDataBlocks: random.pick([2000, 50_000]),
      maxMetadataBlocks: 600,
      weights: { create: random.pick([6, 20]), needsCheck: 1 },
    };
    const script = randomThinScript(random, shape);
    const options = playerOptions(sizes.metadata, sizes.data, random);
    const problem = await modelProblem(script, sizes, options);
    count(script.length);
    if (problem === undefined) return;
    const fails = async (shorter: ThinScript) => (await modelProblem(shorter, sizes, options)) !== undefined;
    const smallest = await shrinkScript(script, fails, 600);
    throw new Failure((await modelProblem(smallest, sizes, options)) ?? problem, { sizes, script: smallest });
  },
};
