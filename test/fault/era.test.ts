/** Era metadata on a disk that fails at any one call: no acknowledged mark is lost, what failed says why, and nothing untyped is thrown. */

import { PersistentDataError } from 'persistent-data/base';
import { checkEra, EraMetadata } from 'persistent-data/era';
import { MemoryDevice } from 'persistent-data/io';
import { type Fault, FaultDevice } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import { EraPlayer, type EraStep } from '../structures/era-player.ts';

const NR_STEPS = 30;
const KINDS: EraStep[] = [
  'mark',
  'markRun',
  'checkpoint',
  'digestStep',
  'digest',
  'commit',
  'snapshot',
  'dropSnapshot',
  'restart',
];

interface Run {
  readonly device: FaultDevice;
  readonly disk: MemoryDevice;
  readonly player: EraPlayer | undefined;
  readonly failures: unknown[];
}

/** Works until something fails, and then tries to go on. */
function run(faults: readonly Fault[], seed = 7): Run {
  const disk = new MemoryDevice({ nrBlocks: 160 });
  const device = new FaultDevice(disk, { faults });
  const failures: unknown[] = [];
  let player: EraPlayer | undefined;
  try {
    player = new EraPlayer(device, { seed, nrBlocks: 700 });
  } catch (error) {
    return { device, disk, player, failures: [error] };
  }
  for (let i = 0; i < NR_STEPS; i++) {
    try {
      player.step(KINDS);
    } catch (error) {
      failures.push(error);
      // What was tried may be on the disk, or not: then nothing more is known to be acknowledged.
      if (failures.length > 2) break;
      try {
        player.era.rollback();
      } catch (again) {
        failures.push(again);
      }
    }
  }
  return { device, disk, player, failures };
}

/** The disk, opened anew, forgets no mark that was acknowledged. */
function verify(faults: readonly Fault[]): void {
  const { disk, player, failures } = run(faults);
  const what = JSON.stringify(faults);
  for (const error of failures) {
    if (!(error instanceof PersistentDataError)) throw new Error(`untyped, with ${what}`, { cause: error });
  }
  if (player === undefined) return;
  const device = disk.fork();
  expect(
    [...checkEra(device)].filter(({ severity }) => severity !== 'warning'),
    what,
  ).toEqual([]);
  const era = EraMetadata.open(device);
  const forgotten = player.model.eras.flatMap((acknowledged, b) => (era.eraOf(b) < acknowledged ? [b] : []));
  expect(forgotten, what).toEqual([]);
}

const { calls } = run([]).device;

test.each(['read', 'write', 'flush'] as const)(
  'an error at each %s, once and for ever',
  (call) => {
    expect(run([]).failures).toEqual([]);
    const step = Math.max(1, Math.floor(calls[call] / 40));
    for (let at = 0; at < calls[call]; at += step) {
      verify([{ kind: 'error', call, at }]);
      verify([{ kind: 'error', call, at, forever: true }]);
    }
  },
  60_000,
);

test('a write that is done in part, a flush that fails and then pretends, a host that is full', () => {
  for (let at = 0; at < calls.write; at += 5) verify([{ kind: 'partialWrite', at, blocks: 1 }]);
  for (let at = 0; at < calls.flush; at += 2) verify([{ kind: 'failedFlush', at }]);
  for (let blocks = 8; blocks < 100; blocks += 7) verify([{ kind: 'noSpace', blocks }]);
}, 60_000);

test('after a failed commit a block is not marked, and nothing goes on before the device is opened again', () => {
  const disk = new MemoryDevice({ nrBlocks: 100 });
  const device = new FaultDevice(disk);
  const era = EraMetadata.format(device, { blockSizeSectors: 128 });
  era.resume(500);
  era.markWritten([1]);
  device.inject({ kind: 'error', call: 'flush', at: device.calls.flush });
  expect(() => era.markWritten([2])).toThrow(PersistentDataError);
  expect(era.isMarked(2)).toBe(false);
  expect(() => era.markWritten([3])).toThrow('latched after a failure');
  const again = EraMetadata.open(disk);
  expect(again.eraOf(1)).toBe(1);
});
