import { expect, test } from 'vitest';
import { MemoryDevice, WindowDevice } from '../io/index.ts';
import { FaultDevice } from '../testing/index.ts';
import { u32 } from './codec.ts';
import { Store } from './store.ts';

/** A store with journal areas of 4 blocks, left as a crash leaves it. */
function closedStore(): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device, { journalBlocks: 4 });
  store.tree('t', { value: u32 }).set(1, 1);
  // Room for what follows, so that only the journal wants more.
  store.engine.ensureSpace(200);
  store.engine.checkpoint();
  return device.fork();
}

function changeAndCheck(store: Store): void {
  store.tree('t', { value: u32 }).set(2, 2);
  store.engine.checkpoint();
  expect([...store.check()]).toEqual([]);
  expect([...store.tree('t', { value: u32 })]).toEqual([
    [1, 1],
    [2, 2],
  ]);
}

test('journal areas become as long as is asked for', () => {
  const device = closedStore();
  const store = Store.open(device, { journalBlocks: 8 });
  changeAndCheck(store);
  expect(store.statistics.journalBlocks).toBe(8);
  store.close();
  expect(Store.open(device, { readOnly: true }).statistics.journalBlocks).toBe(8);
});

test('they stay as they are where the device cannot grow', () => {
  const device = closedStore();
  const fixed = new WindowDevice(device, { begin: 0, nrBlocks: device.nrBlocks });
  const store = Store.open(fixed, { journalBlocks: 8 });
  changeAndCheck(store);
  expect(store.statistics.journalBlocks).toBe(4);
});

test('they stay as they are where the host is full, and the store goes on', () => {
  const inner = closedStore();
  const device = new FaultDevice(inner, {
    faults: [{ kind: 'error', call: 'resize', at: 0, forever: true, code: 'ENOSPC' }],
  });
  const store = Store.open(device, { journalBlocks: 300 });
  changeAndCheck(store);
  expect(device.shown).toHaveLength(1);
  expect(store.statistics.journalBlocks).toBe(4);
  // With room again the next checkpoint does it.
  device.heal();
  store.tree('t', { value: u32 }).set(3, 3);
  store.engine.checkpoint();
  expect(store.statistics.journalBlocks).toBe(300);
  expect([...store.check()]).toEqual([]);
});
