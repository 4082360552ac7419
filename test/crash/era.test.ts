/**
 * An era device's disk loses power at any moment: every block whose mark was acknowledged, so that its data may have been written, is told as of
 * that era or a later one. And metadata on a disk that forgets a flush is caught.
 */

import { checkEra, EraMetadata } from 'persistent-data/era';
import { CrashDevice, type CrashPoint } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import { ERA_STEPS, EraPlayer, type EraStep } from '../structures/era-player.ts';

const seeds = process.env.PDATA_SEED ? [Number(process.env.PDATA_SEED)] : [1, 2, 3, 4];

interface Script {
  readonly seed: number;
  readonly nrSteps?: number;
  readonly everyWrites?: number;
  readonly dropFlush?: (index: number) => boolean;
}

/** What is wrong with a state of the disk: it may be as before the step under way or as after it, or between its commits. */
function problemOf(
  point: CrashPoint,
  state: { open(): Parameters<typeof EraMetadata.open>[0] },
  player: EraPlayer,
): string | undefined {
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

function play({ seed, nrSteps = 30, everyWrites, dropFlush }: Script): {
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
      for (const state of point.states({ limit: 4, seed })) {
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

test.each(seeds)(
  'no write is forgotten by a crash (npm run test:crash -- --seed %d)',
  (seed) => {
    const { failure, nrStates } = play({ seed });
    expect(failure).toBeUndefined();
    expect(nrStates).toBeGreaterThan(100);
  },
  60_000,
);

test('the same at every write', () => {
  expect(play({ seed: 50, nrSteps: 15, everyWrites: 1 }).failure).toBeUndefined();
}, 60_000);

test('negative control: a dropped flush is caught', () => {
  const caught = [6, 9, 14, 21, 30, 41].filter((index) => play({ seed: index, dropFlush: (i) => i === index }).failure);
  expect(caught.length).toBeGreaterThan(2);
}, 60_000);
