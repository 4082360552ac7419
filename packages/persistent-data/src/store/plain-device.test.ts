/** Stores on a device with nothing but what a device must have: no growth, no asynchronous flush. */

import { expect, test } from 'vitest';
import { NoSpaceError } from '../base/index.ts';
import { type BlockDevice, MemoryDevice } from '../io/index.ts';
import { u32 } from './codec.ts';
import { Store } from './store.ts';

class PlainDevice implements BlockDevice {
  readonly readOnly = false;
  readonly #inner: MemoryDevice;

  constructor(nrBlocks: number) {
    this.#inner = new MemoryDevice({ nrBlocks });
  }

  get nrBlocks(): number {
    return this.#inner.nrBlocks;
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    this.#inner.read(begin, buffers);
  }

  write(begin: number, buffers: readonly Uint8Array[]): void {
    this.#inner.write(begin, buffers);
  }

  flush(): void {
    this.#inner.flush();
  }

  close(): void {
    // Nothing is held.
  }
}

test('asynchronous commits and backups flush as they can', async () => {
  const device = new PlainDevice(2000);
  const store = Store.open(device, { journalBlocks: 4 });
  const tree = store.tree('t', { value: u32 });
  store.begin();
  tree.set(1, 1);
  await store.commitAsync();
  store.begin();
  for (let i = 0; i < 3000; i++) tree.set(i, i);
  await store.commitAsync();
  const target = new PlainDevice(2000);
  await store.backup(target);
  const copy = Store.open(target, { readOnly: true });
  expect(copy.tree('t', { value: u32 }).size).toBe(3000);
  expect([...copy.check()]).toEqual([]);
  tree.clear();
  store.engine.checkpoint();
  expect(device.nrBlocks).toBe(2000);
  expect([...store.check()]).toEqual([]);
});

test('one without a block is no place for a store', () => {
  expect(() => Store.open(new PlainDevice(0))).toThrow(NoSpaceError);
});
