import type { Random } from './random.ts';

/**
 * One step of a script, as plain data: it prints as JSON and is read back from it. Steps that make no sense where they stand (a device
 * that is not there, an id that is taken) are skipped, so that any part of a script is a script.
 *
 * - `write`: to each virtual block as a pool does: provision, break sharing, or nothing. `overwrite`: always to a fresh data block.
 * - `commitAsync` begins a commit; `await`, and each step that wants it done, waits for it.
 * - `shrinkData` and `shrinkMetadata` may be refused for want of a free tail.
 * - `reopen`: close, which commits, and open. `crash`: open again without a commit.
 */
export type ThinStep =
  | readonly ['create', number]
  | readonly ['snapshot', number, number]
  | readonly ['delete', number]
  | readonly ['write' | 'overwrite', number, ...number[]]
  | readonly ['writeRun', number, number, number]
  | readonly ['discard', number, number, number]
  | readonly ['transactionId', number]
  | readonly ['needsCheck', 0 | 1]
  | readonly ['growData' | 'shrinkData' | 'growMetadata' | 'shrinkMetadata', number]
  | readonly ['commit' | 'commitAsync' | 'await' | 'rollback' | 'hold' | 'release' | 'reopen' | 'crash'];

export type ThinScript = readonly ThinStep[];

type Verb = ThinStep[0];

/** What a random script is like. Counts are of 4096-byte blocks, or of data blocks. */
export interface ThinScriptShape {
  readonly nrSteps: number;
  /** Device ids are below. Default 6. */
  readonly nrIds?: number;
  /** Virtual blocks are below. Default 300. */
  readonly nrVirtualBlocks?: number;
  /** The most blocks of one write. Default 20. */
  readonly maxWrite?: number;
  /** How often each step comes, relative to the others; those that are absent come as by default. */
  readonly weights?: Partial<Record<Verb, number>>;
  /** Bounds for growing and shrinking. Default: none of it. */
  readonly maxDataBlocks?: number;
  readonly maxMetadataBlocks?: number;
}

const WEIGHTS: Record<Verb, number> = {
  create: 6,
  snapshot: 6,
  delete: 3,
  write: 14,
  overwrite: 2,
  writeRun: 5,
  discard: 7,
  transactionId: 1,
  needsCheck: 0,
  growData: 1,
  shrinkData: 1,
  growMetadata: 1,
  shrinkMetadata: 1,
  commit: 10,
  commitAsync: 3,
  await: 2,
  rollback: 2,
  hold: 2,
  release: 2,
  reopen: 1,
  crash: 1,
};

const VERBS = Object.keys(WEIGHTS) as Verb[];

/** Draws a script. */
export function randomThinScript(random: Random, shape: ThinScriptShape): ThinStep[] {
  const weights = { ...WEIGHTS, ...shape.weights };
  if (shape.maxDataBlocks === undefined) weights.growData = weights.shrinkData = 0;
  if (shape.maxMetadataBlocks === undefined) weights.growMetadata = weights.shrinkMetadata = 0;
  const total = VERBS.reduce((sum, verb) => sum + weights[verb], 0);
  const steps: ThinStep[] = [];
  while (steps.length < shape.nrSteps) {
    let at = random.below(total);
    const verb = VERBS.find((each) => {
      at -= weights[each];
      return at < 0;
    }) as Verb;
    steps.push(randomStep(verb, random, shape));
  }
  return steps;
}

function randomStep(verb: Verb, random: Random, shape: ThinScriptShape): ThinStep {
  const { nrIds = 6, nrVirtualBlocks = 300, maxWrite = 20, maxDataBlocks = 0, maxMetadataBlocks = 0 } = shape;
  const id = random.below(nrIds);
  const block = random.below(nrVirtualBlocks);
  switch (verb) {
    case 'create':
    case 'delete':
      return [verb, id];
    case 'snapshot':
      return [verb, id, random.below(nrIds)];
    case 'write':
    case 'overwrite':
      return [
        verb,
        id,
        ...Array.from({ length: random.between(1, maxWrite + 1) }, () => random.below(nrVirtualBlocks)),
      ];
    case 'writeRun':
      return [verb, id, block, random.between(1, maxWrite + 1)];
    case 'discard':
      return [verb, id, block, block + random.between(1, random.chance(0.2) ? nrVirtualBlocks : 2 * maxWrite)];
    case 'transactionId':
      return [verb, random.below(1000)];
    case 'needsCheck':
      return [verb, random.chance(0.5) ? 1 : 0];
    case 'growData':
    case 'shrinkData':
      return [verb, random.below(maxDataBlocks)];
    case 'growMetadata':
    case 'shrinkMetadata':
      return [verb, random.below(maxMetadataBlocks)];
    default:
      return [verb];
  }
}

/**
 * Shrinks a script that fails: leaves out whatever it can, in ever smaller pieces, as long as it still fails.
 *
 * @param maxTries - The most calls of `fails`.
 */
export async function shrinkScript<Step>(
  script: readonly Step[],
  fails: (script: readonly Step[]) => Promise<boolean>,
  maxTries = 400,
): Promise<readonly Step[]> {
  let best = script;
  let tries = 0;
  for (let size = Math.ceil(best.length / 2); size >= 1; ) {
    let removed = false;
    for (let begin = Math.max(0, best.length - size); tries < maxTries; begin -= size) {
      const from = Math.max(0, begin);
      const shorter = [...best.slice(0, from), ...best.slice(begin + size)];
      tries += 1;
      if (shorter.length < best.length && (await fails(shorter))) {
        best = shorter;
        removed = true;
      }
      if (begin <= 0) break;
    }
    if (tries >= maxTries) break;
    if (size > 1) size = Math.ceil(size / 2);
    else if (!removed) break;
  }
  return best;
}
