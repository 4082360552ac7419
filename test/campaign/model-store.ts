import { MemoryDevice } from 'persistent-data/io';
import type { StoreOptions } from 'persistent-data/store';
import { shrinkScript } from 'persistent-data/testing';
import { type Campaign, Failure, type Run, textOf } from './campaign.ts';
import { StorePlayer } from './store-player.ts';
import { randomStoreScript, type StoreScript } from './store-script.ts';

const CI_RUNS = 300;
const NR_STEPS = 200;

/** Plays a script in memory; a check at each tenth step where no transaction runs, and a comparison. */
export async function storeModelProblem(script: StoreScript, options: StoreOptions): Promise<string | undefined> {
  const player = new StorePlayer(new MemoryDevice({ nrBlocks: 0 }), options);
  try {
    player.open();
    for (const [i, step] of script.entries()) {
      await player.play(step);
      if (i % 10 !== 9) continue;
      player.compare();
      await player.play(['checkpoint']);
    }
    await player.settle();
    player.compare();
    player.store.close();
    player.open();
    return player.allowed.length === 1 ? undefined : 'what was closed has commits that were never acknowledged';
  } catch (error) {
    return textOf(error);
  }
}

/** Random workloads on a Store: whatever it is asked, it says what plain maps say. */
export const MODEL_STORE: Campaign = {
  name: 'model-store',
  states: 'operations',
  hangSeconds: 120,
  ci: { runs: CI_RUNS },
  async run({ random, count, index }: Run): Promise<void> {
    const nrSteps = index < CI_RUNS ? NR_STEPS : 5 * NR_STEPS;
    const script = randomStoreScript(random, nrSteps, random.pick([5, 30, 300]));
    const options = { journalBlocks: random.pick([4, 8, 64]), cacheBytes: 4096 * random.pick([32, 64, 1024]) };
    const problem = await storeModelProblem(script, options);
    count(script.length);
    if (problem === undefined) return;
    const fails = async (shorter: StoreScript) => (await storeModelProblem(shorter, options)) !== undefined;
    const smallest = await shrinkScript(script, fails, 300);
    throw new Failure((await storeModelProblem(smallest, options)) ?? problem, { options, script: smallest });
  },
};
