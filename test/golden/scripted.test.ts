/** The 19 steps of `scripted`, done through the library, give the kernel's metadata device byte for byte. */

import { describe, expect, test } from 'vitest';
import { thinMetadata } from './library.ts';
import { beginReplay, compareStep, scriptedPool } from './replay.ts';

describe.skipIf(!thinMetadata)('scripted', () => {
  const pool = scriptedPool();
  const replay = beginReplay(pool, thinMetadata!);
  test.each(pool.steps.map((step) => [step.name, step] as const))('%s gives the same bytes', (_, step) => {
    replay.run(step);
    expect(compareStep(pool, step, replay.device)).toBe('');
  });
});
