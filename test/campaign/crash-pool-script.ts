/** Scripts for two disks that lose power: what is done to a pool, as plain data. */

import type { BlockDevice } from 'persistent-data/io';
import type { CrashDeviceOptions, Random } from 'persistent-data/testing';

const BLOCK = 65_536;
export const SECTOR = 512;
export const BLOCK_SECTORS = BLOCK / SECTOR;
/** Of each volume. */
export const NR_BLOCKS = 5;
export const NR_SECTORS = NR_BLOCKS * BLOCK_SECTORS;

/** Numbers are ids, sectors of a volume, blocks. `flushAsync` begins a flush; `await`, and what wants it done, waits for it. */
export type PoolStep =
  | readonly ['create' | 'delete' | 'flush' | 'flushAsync', number]
  | readonly ['snapshot' | 'rollback' | 'merge', number, number]
  | readonly ['write' | 'zero' | 'discard', number, number, number]
  | readonly ['growData' | 'growMetadata', number]
  | readonly ['await' | 'sync' | 'reopen' | 'hold'];

/** A script and the pool it is played on. */
export interface PoolCrashCase {
  readonly script: readonly PoolStep[];
  readonly nrDataBlocks: number;
  readonly nrMetadataBlocks: number;
  readonly holes: 'zero' | 'discard' | 'none';
  readonly skipBlockZeroing: boolean;
  /** Length of the external origin that all volumes have; 0: none. */
  readonly originSectors: number;
  /** Whether writes that find no data space wait for it. */
  readonly waitsForSpace: boolean;
  /** The most states that are tried at each crash point. */
  readonly limit: number;
  readonly seed: number;
  /** For negative controls. */
  readonly metadataDisk?: Pick<CrashDeviceOptions, 'dropFlush'>;
  readonly dataDisk?: Pick<CrashDeviceOptions, 'dropFlush'>;
  readonly wrapMetadata?: (device: BlockDevice) => BlockDevice;
}

const VERBS: readonly PoolStep[0][] = [
  ...([
    'create',
    'create',
    'snapshot',
    'snapshot',
    'delete',
    'rollback',
    'merge',
    'growData',
    'growMetadata',
    'hold',
  ] as const),
  ...([
    'write',
    'write',
    'write',
    'write',
    'write',
    'write',
    'write',
    'zero',
    'discard',
    'discard',
    'discard',
  ] as const),
  ...(['flush', 'flush', 'flushAsync', 'flushAsync', 'sync', 'await', 'reopen'] as const),
];

/** Draws a script. */
export function randomPoolScript(random: Random, nrSteps: number): PoolStep[] {
  const script: PoolStep[] = [['create', 0]];
  while (script.length < nrSteps) {
    const verb = random.pick(VERBS);
    const id = random.below(4);
    const other = random.below(4);
    if (verb === 'write' || verb === 'zero') {
      script.push([verb, id, random.below(NR_SECTORS), random.pick([1, 1, 3, 8, 20, BLOCK_SECTORS])]);
    } else if (verb === 'discard') script.push([verb, id, random.below(NR_BLOCKS), random.between(1, 4)]);
    else if (verb === 'growData') script.push([verb, random.below(3)]);
    else if (verb === 'growMetadata') script.push([verb, random.below(20)]);
    else if (verb === 'snapshot' || verb === 'rollback' || verb === 'merge') script.push([verb, id, other]);
    else if (verb === 'await' || verb === 'sync' || verb === 'reopen' || verb === 'hold') script.push([verb]);
    else script.push([verb, id]);
  }
  return script;
}

/** Draws a case: a small pool, so that blocks are used again soon; where writes wait, one that is soon full. */
export function randomPoolCase(random: Random, nrSteps: number, limit: number): PoolCrashCase {
  const waitsForSpace = random.chance(0.5);
  return {
    script: randomPoolScript(random, waitsForSpace ? 2 * nrSteps : nrSteps),
    nrDataBlocks: random.pick(waitsForSpace ? [2, 3, 4] : [4, 8, 16, 40]),
    nrMetadataBlocks: random.pick([48, 64, 128]),
    holes: random.pick(['zero', 'zero', 'discard', 'none']),
    skipBlockZeroing: random.chance(0.15),
    originSectors: random.pick([0, 0, 70, 2 * BLOCK_SECTORS + 3, NR_SECTORS + 9]),
    waitsForSpace,
    limit,
    seed: random.uint32(),
  };
}
