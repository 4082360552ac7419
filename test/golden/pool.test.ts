/** The scripts done by requests and messages to a `ThinPool` give the kernel's metadata device byte for byte after every step. */

import { describe, expect, test } from 'vitest';
import { BLOCK_SIZE } from './compare.ts';
import { ImageDevice } from './image-device.ts';
import { PoolTarget } from './pool-target.ts';
import { compareStep, type GoldenPool, REPLAY_POOLS, replayPool, scriptedPool } from './replay.ts';

const pools: (readonly [string, GoldenPool])[] = [
  ['scripted', scriptedPool()],
  ...REPLAY_POOLS.map((name) => [`replay/${name}`, replayPool(name)] as const),
];

describe.each(pools)('%s through ThinPool', (_, pool) => {
  const device = new ImageDevice((pool.image(pool.steps[0]!)?.bytes().length ?? 0) / BLOCK_SIZE);
  const target = new PoolTarget(device);
  test.each(pool.steps.map((step) => [step.name, step] as const))('%s gives the same bytes', async (__, step) => {
    for (const command of step.commands) await target.run(command);
    expect(compareStep(pool, step, device)).toBe('');
  });
});
