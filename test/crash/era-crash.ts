/** Era metadata on a disk that may lose power at any moment: plays a script of random work, and opens every state that may be left. */

import { checkEra, EraMetadata } from 'persistent-data/era';
import type { MemoryDevice } from 'persistent-data/io';
import { CrashDevice, type CrashPoint } from 'persistent-data/testing';
import { ERA_STEPS, EraPlayer, type EraStep } from '../structures/era-player.ts';

/** What is played. */
export interface EraCrashScript {
  readonly seed: number;
  readonly nrSteps?: number;
  /** The most states that are opened of each moment. Default 4. */
  readonly nrStates?: number;
  readonly everyWrites?: number;
  readonly dropFlush?: (index: number) => boolean;
}

/** What is wrong with a state of the disk: it may be as before the step under way or as after it, or between its commits. */
function problemOf(point: CrashPoint, state: { open(): MemoryDevice }, player: EraPlayer): string | undefined {
  const where = String(point);
  const { model, trying } = player;
  const device = state.open();
  let era: EraMetadata;
  try {
    era = EraMetadata.open(device, { cacheBlocks: 64 });
    const [finding] = [...checkEra(device)].filter(({ severity }) => severity !== 'warning');
    if (finding !== undefined) return `${where}: ${finding.message}`;
    if (era.currentEra < model.currentEra || era.currentEra > trying.currentEra)
      return `${where}: era ${era.currentEra}`;
    for (let b = 0; b < Math.min(era.nrBlocks, model.eras.length); b++) {
      const found = era.eraOf(b);
      if (model.ghosts.has(b) || trying.ghosts.has(b)) continue;
      const acknowledged = model.eras[b]!;
      if (found < acknowledged) return `${where}: block ${b} was written in era ${acknowledged}, ${found} is told`;
      if (found > Math.max(acknowledged, trying.eras[b] ?? 0)) return `${where}: block ${b} is told as of era ${found}`;
    }
    // And it can go on from here.
    era.resume(model.eras.length);
  } catch (error) {
    return `${where}: ${(error as Error).message}`;
  }
  return undefined;
}

/** Plays a script. Answers what went wrong, with all that is needed to see it again. */
export function playEraCrash({ seed, nrSteps = 30, nrStates: most = 4, everyWrites, dropFlush }: EraCrashScript): {
  failure: string | undefined;
  nrStates: number;
} {
  let failure: string | undefined;
  let nrStates = 0;
  let player: EraPlayer | undefined;
  const device = new CrashDevice({
    nrBlocks: 120,
    ...(everyWrites === undefined ? {} : { everyWrites }),
    ...(dropFlush === undefined ? {} : { dropFlush }),
    onCrashPoint: (point) => {
      // A device that is being formatted is nothing yet.
      if (player === undefined || failure !== undefined) return;
      for (const state of point.states({ limit: most, seed })) {
        nrStates++;
        failure ??= problemOf(point, state, player);
      }
    },
  });
  player = new EraPlayer(device, { seed, nrBlocks: 300, maxBlocks: 1500 });
  const kinds: EraStep[] = ERA_STEPS.filter((kind) => kind !== 'crash');
  const steps: string[] = [];
  for (let i = 0; i < nrSteps && failure === undefined; i++) {
    try {
      steps.push(player.step([...kinds, 'mark', 'mark', 'checkpoint', 'digestStep']));
    } catch (error) {
      failure ??= `${steps.join(' ')}: ${(error as Error).message}`;
    }
  }
  return { failure: failure && `${failure}; seed ${seed}, after ${steps.join(' ')}`, nrStates };
}
