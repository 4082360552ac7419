/** The pools of `replay`, done through the library, give the kernel's metadata device byte for byte after every step. */

import { describe, expect, test } from 'vitest';
import { thinMetadata } from './library.ts';
import { beginReplay, compareStep, REPLAY_POOLS, replayPool } from './replay.ts';

describe.skipIf(!thinMetadata).each(REPLAY_POOLS)('replay/%s', (name) => {
  const pool = replayPool(name);
  const replay = beginReplay(pool, thinMetadata!);
  test.each(pool.steps.map((step) => [step.name, step] as const))('%s gives the same bytes', (_, step) => {
    replay.run(step);
    expect(compareStep(pool, step, replay.device)).toBe('');
  });
});
