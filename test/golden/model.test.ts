/** The parser and the target against the kernel, with a model in the place of the library: the same mappings after each step. */

import { describe, expect, test } from 'vitest';
import type { MetadataFactory } from './metadata.ts';
import { ModelMetadata } from './model.ts';
import { beginReplay, type GoldenPool, REPLAY_POOLS, replayPool, scriptedPool } from './replay.ts';
import { walkPool } from './walk.ts';

/** A factory that keeps its one model when the pool is opened again, and marks the disk as formatted. */
function modelFactory(): MetadataFactory & { model: ModelMetadata | undefined } {
  return {
    model: undefined,
    format(device, options) {
      const superblock = new Uint8Array(4096).fill(1);
      new DataView(superblock.buffer).setBigUint64(64, BigInt(options.nrDataBlocks), true);
      new DataView(superblock.buffer).setBigUint64(192, BigInt(device.nrBlocks), true);
      device.write(0, [superblock]);
      this.model = new ModelMetadata(options);
      return this.model;
    },
    open() {
      if (this.model === undefined) throw new Error('opened before it was formatted');
      return this.model;
    },
  };
}

function suite(pool: GoldenPool): void {
  const factory = modelFactory();
  const replay = beginReplay(pool, factory);
  test.each(pool.steps.map((step) => [step.name, step] as const))('%s maps what the kernel maps', (_, step) => {
    replay.run(step);
    const image = pool.image(step);
    if (image !== undefined) expect(factory.model?.state()).toEqual(walkPool(image.bytes()));
  });
}

describe('scripted', () => suite(scriptedPool()));
describe.each(REPLAY_POOLS)('replay/%s', (name) => suite(replayPool(name)));
