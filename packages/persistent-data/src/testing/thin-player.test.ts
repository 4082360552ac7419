import { expect, test } from 'vitest';
import { DeviceError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { FaultDevice } from './fault-device.ts';
import { auditThin, describePool } from './thin-audit.ts';
import { ThinModel } from './thin-model.ts';
import { ThinPlayer } from './thin-player.ts';
import type { ThinScript } from './thin-script.ts';

const OPTIONS = { dataBlockSizeSectors: 128, nrDataBlocks: 100 };

test('a player knows which states a crash may leave', async () => {
  const device = new MemoryDevice({ nrBlocks: 64 });
  const player = ThinPlayer.format(device, OPTIONS);
  expect(player.allowed).toHaveLength(1);
  await player.playAll([
    ['create', 1],
    ['write', 1, 5],
  ]);
  expect(player.allowed).toEqual([player.states[0]]);
  void player.play(['commitAsync']);
  expect(player.allowed).toHaveLength(2);
  await player.settle();
  expect(player.allowed).toEqual([player.model.describe()]);
  const { pool } = auditThin(device);
  expect(pool && describePool(pool)).toBe(player.model.describe());
});

test('a player skips what makes no sense, and takes space that runs out', async () => {
  const device = new MemoryDevice({ nrBlocks: 64 });
  const player = ThinPlayer.format(device, { ...OPTIONS, nrDataBlocks: 3 });
  const script: ThinScript = [
    ['delete', 9],
    ['release'],
    ['create', 1],
    ['create', 1],
    ['writeRun', 1, 0, 10],
    ['commit'],
    ['shrinkData', 1],
    ['reopen'],
  ];
  await player.playAll(script);
  expect(player.nrRefused).toBe(2);
  expect(player.model.nrMapped(1)).toBe(3);
});

test('a player says what the pool says otherwise than the model', async () => {
  const player = ThinPlayer.format(new MemoryDevice({ nrBlocks: 64 }), OPTIONS);
  await player.playAll([
    ['create', 1],
    ['write', 1, 5],
  ]);
  player.metadata.createThin(2);
  expect(() => player.compare()).toThrow('the list of devices');
});

test('a player goes on after an error, from what the disk holds', async () => {
  const inner = new MemoryDevice({ nrBlocks: 64 });
  await ThinPlayer.format(inner, OPTIONS).playAll([['reopen']]);
  const device = new FaultDevice(inner, { faults: [{ kind: 'error', call: 'flush', at: 1 }] });
  const player = ThinPlayer.open(device, { ...OPTIONS, nrMetadataBlocks: 64 });
  await player.playAll([['create', 1]]);
  expect(() => player.play(['commit'])).toThrow(DeviceError);
  expect(player.allowed).toHaveLength(2);
  const { pool } = auditThin(inner);
  await player.recover(pool === undefined ? '' : describePool(pool), 'reopen');
  await player.playAll([['create', 2], ['commit']]);
  expect(player.model.ids).toContain(2);
});

test('a model is copied whole', () => {
  const model = new ThinModel({ ...OPTIONS, nrMetadataBlocks: 64 });
  model.create(1);
  model.insert(1, 0, 7);
  model.hold();
  const copy = model.copy();
  model.snapshot(2, 1);
  expect(model.find(1, 0)).toEqual({ dataBlock: 7, shared: true });
  expect(copy.find(1, 0)).toEqual({ dataBlock: 7, shared: false });
  expect([...copy.usedData()]).toEqual([7]);
  expect([copy.has(2), copy.isHeld, copy.removeRange(1, 0, 5)]).toEqual([false, true, 1]);
});
