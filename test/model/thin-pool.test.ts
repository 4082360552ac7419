/** Volumes of a thin pool hold what plain byte arrays hold, whatever the options. */

import fc from 'fast-check';
import { Random } from 'persistent-data/testing';
import { test } from 'vitest';
import { nrCommands, replay, timeLimit } from '../replay.ts';
import { PoolPlayer } from './pool-player.ts';

/** `npm run test:model -- --runs N --commands M` for more. */
const RUNS = 60;
const COMMANDS = nrCommands(80);

test(
  'a thin pool holds what byte arrays hold',
  async () => {
    const plays = fc.asyncProperty(fc.noShrink(fc.integer()), (seed) => PoolPlayer.play(new Random(seed), COMMANDS));
    await fc.assert(plays, replay('model', RUNS));
  },
  timeLimit(120_000),
);
