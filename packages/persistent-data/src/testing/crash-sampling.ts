import { type CrashItem, WHOLE } from './crash-item.ts';
import { Random } from './random.ts';

/** Which crash states to try. */
export interface SamplingOptions {
  /** The most states. Default: 1000. */
  readonly limit?: number;
  /** Seed of the sample that is drawn where there are more. Default: 1. */
  readonly seed?: number;
  /** Whether blocks are torn too, and not only lost. Default: true. */
  readonly tear?: boolean;
}

/** A beginning of the block arrived, or an end: what a disk that stops in mid-write leaves. */
const EDGE_TEARS = [1, 2, 3, 4, 5, 6, 7].flatMap((nr) => [(1 << nr) - 1, (WHOLE << nr) & WHOLE]);

/**
 * Chooses crash states for the items of a crash point: see docs/crash-model.md, "Which states are tried". Yields masks, one array
 * for each state, no state twice.
 */
export function* crashMasks(items: readonly CrashItem[], options: SamplingOptions = {}): Generator<Uint8Array> {
  const { limit = 1000, seed = 1, tear = true } = options;
  const seen = new Set<string>();
  const isFresh = (masks: Uint8Array): boolean => {
    const key = canonical(items, masks).join();
    return seen.size < limit && seen.size !== seen.add(key).size;
  };
  const torn = tear ? items.flatMap((item, index) => (item.kind === 'block' ? [index] : [])) : [];
  const nrSubsets = 2 ** items.length;
  const nrTears = torn.length * EDGE_TEARS.length;

  const allSubsets = nrSubsets <= limit;
  const first = allSubsets ? subsets(items.length) : corners(items.length, limit / 2);
  for (const masks of first) if (isFresh(masks)) yield masks;
  if (seen.size >= limit) return;

  const allTears = allSubsets && nrSubsets + (nrTears * nrSubsets) / 2 <= limit;
  const tears = allTears ? tearsOfSubsets(items.length, torn) : tearsOfCorners(items.length, torn);
  if (allTears || nrTears * 3 <= limit / 2) for (const masks of tears) if (isFresh(masks)) yield masks;
  if (allSubsets && (allTears || torn.length === 0)) return;

  const random = new Random(seed);
  // Where nearly all states were seen, drawing another fresh one may take for ever.
  for (let misses = 0; seen.size < limit && misses < limit; ) {
    const masks = sample(items.length, torn, random);
    if (isFresh(masks)) yield masks;
    else misses += 1;
  }
}

/** Every subset of items, whole. */
function* subsets(nrItems: number): Generator<Uint8Array> {
  for (let subset = 0; subset < 2 ** nrItems; ++subset) {
    yield Uint8Array.from({ length: nrItems }, (_, index) => (subset & (1 << index) ? WHOLE : 0));
  }
}

/** All and none; and where that makes no more than `most`: all but one, only one, all in order up to one. */
function* corners(nrItems: number, most: number): Generator<Uint8Array> {
  const make = (arrives: (index: number) => boolean) =>
    Uint8Array.from({ length: nrItems }, (_, index) => (arrives(index) ? WHOLE : 0));
  yield make(() => true);
  yield make(() => false);
  if (3 * nrItems + 2 > most) return;
  for (let item = 0; item < nrItems; ++item) {
    yield make((index) => index !== item);
    yield make((index) => index === item);
    yield make((index) => index <= item);
  }
}

function* tearsOfSubsets(nrItems: number, torn: readonly number[]): Generator<Uint8Array> {
  for (const masks of subsets(nrItems)) {
    for (const index of torn) if (masks[index] === WHOLE) yield* tearsOf(masks, index);
  }
}

/** One item torn; of the others all arrived, or none, or those before it. */
function* tearsOfCorners(nrItems: number, torn: readonly number[]): Generator<Uint8Array> {
  for (const index of torn) {
    yield* tearsOf(new Uint8Array(nrItems).fill(WHOLE), index);
    yield* tearsOf(new Uint8Array(nrItems), index);
    yield* tearsOf(new Uint8Array(nrItems).fill(WHOLE, 0, index), index);
  }
}

function* tearsOf(masks: Uint8Array, index: number): Generator<Uint8Array> {
  for (const mask of EDGE_TEARS) {
    const result = masks.slice();
    result[index] = mask;
    yield result;
  }
}

function sample(nrItems: number, torn: readonly number[], random: Random): Uint8Array {
  const masks = sampleWhole(nrItems, random);
  if (torn.length === 0 || random.chance(0.4)) return masks;
  const nrTorn = random.chance(0.2) ? random.between(1, torn.length + 1) : random.between(1, 3);
  for (let i = 0; i < nrTorn; ++i) {
    masks[random.pick(torn)] = random.chance(0.5) ? random.pick(EDGE_TEARS) : random.between(1, WHOLE);
  }
  return masks;
}

/** Few losses, few arrivals, arrival in order up to a moment, or odds that differ from state to state. */
function sampleWhole(nrItems: number, random: Random): Uint8Array {
  const few = Array.from({ length: random.between(1, 4) }, () => random.below(nrItems));
  switch (random.below(4)) {
    case 0:
      return Uint8Array.from({ length: nrItems }, (_, index) => (few.includes(index) ? 0 : WHOLE));
    case 1:
      return Uint8Array.from({ length: nrItems }, (_, index) => (few.includes(index) ? WHOLE : 0));
    case 2:
      return new Uint8Array(nrItems).fill(WHOLE, 0, few[0]);
    default: {
      const odds = random.chance(0.5) ? 0.5 : random.float();
      return Uint8Array.from({ length: nrItems }, () => (random.chance(odds) ? WHOLE : 0));
    }
  }
}

/**
 * The masks without the sectors that a later item overwrites: two states with the same result are the same state. Where
 * lengths change too, a later item may have lost its place, and the masks are taken as they are.
 */
function canonical(items: readonly CrashItem[], masks: Uint8Array): Uint8Array {
  if (items.some((item) => item.kind === 'length')) return masks;
  const covered = new Map<number, number>();
  const result = masks.slice();
  for (let index = items.length - 1; index >= 0; --index) {
    const item = items[index];
    if (item?.kind !== 'block') continue;
    const above = covered.get(item.block) ?? 0;
    covered.set(item.block, above | (masks[index] as number));
    result[index] = (masks[index] as number) & ~above;
  }
  return result;
}
