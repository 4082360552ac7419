/** Replays the steps of a golden pool and compares the metadata device with the kernel's after each. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BLOCK_SIZE, describeDifferences } from './compare.ts';
import { GOLDEN, type GoldenImage, goldenImage, goldenImages } from './image.ts';
import { ImageDevice } from './image-device.ts';
import type { MetadataFactory } from './metadata.ts';
import { parseScript, parseTranscript, type Step, stepsOfRecords } from './script.ts';
import { Target } from './target.ts';

/** A pool whose every commit is known. */
export interface GoldenPool {
  /** Folder below `test/golden`. */
  readonly family: string;
  readonly steps: readonly Step[];
  /** The image at the end of a step; the last step of a script, `end`, has none. */
  image(step: Step): GoldenImage | undefined;
}

/** `scripted`: its commands come out of the records of what the guest ran. */
export function scriptedPool(): GoldenPool {
  const images = goldenImages('scripted');
  const steps = stepsOfRecords(images.map((image) => ({ name: image.name, text: image.record('txt') ?? '' })));
  return { family: 'scripted', steps, image: (step) => goldenImage('scripted', step.name) };
}

/** All pools below `replay`. Those with large images come last. */
export const REPLAY_POOLS = ['coll', 'tiny', 'nopassdown', 'devices', 'wide', 'order', 'levels', 'growth'];

/** A pool below `replay`. Its commands come out of the guest's script, or of the transcript of what the guest ran. */
export function replayPool(name: string): GoldenPool {
  const family = `replay/${name}`;
  const script = join(GOLDEN, family, 'script.sh');
  const steps = existsSync(script)
    ? parseScript(readFileSync(script, 'utf8'))
    : parseTranscript(readFileSync(join(GOLDEN, family, 'transcript.txt'), 'utf8'));
  const image = (step: Step) => (step.name === 'end' ? undefined : goldenImage(family, step.name));
  return { family, steps, image };
}

/** A replay under way. */
export interface Replay {
  readonly device: ImageDevice;
  /** Performs one step. Steps are performed in order, each once. */
  run(step: Step): void;
}

/** Begins a replay on an empty disk, as long as the pool's first image. */
export function beginReplay(pool: GoldenPool, factory: MetadataFactory): Replay {
  const device = new ImageDevice(firstImage(pool).bytes().length / BLOCK_SIZE);
  const target = new Target(device, factory);
  return {
    device,
    run: (step) => {
      for (const command of step.commands) target.run(command);
    },
  };
}

function firstImage(pool: GoldenPool): GoldenImage {
  const image = pool.image(pool.steps[0]!);
  if (image === undefined) throw new Error(`${pool.family} has no images`);
  return image;
}

/** How the device differs from the kernel's at the end of `step`, for people; the empty text when it does not. */
export function compareStep(pool: GoldenPool, step: Step, device: ImageDevice): string {
  const wanted = pool.image(step)?.bytes();
  if (wanted === undefined) return '';
  const text = describeDifferences(device.bytes, wanted);
  return text === '' ? '' : `${pool.family}, step ${step.name}: ${text}`;
}
