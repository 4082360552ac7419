import { expect, test } from 'vitest';
import { ReadOnlyError, StateError } from '../base/index.ts';
import { MemoryDevice } from './memory-device.ts';
import { ReadOnlyDevice } from './read-only-device.ts';

const block = (fill: number) => new Uint8Array(4096).fill(fill);

test('`ReadOnlyDevice` shows the other device, its changes too, and changes nothing', () => {
  const memory = new MemoryDevice({ nrBlocks: 4 });
  const device = new ReadOnlyDevice(memory);
  memory.write(2, [block(7)]);
  memory.resize(9);
  const seen = block(0);
  device.read(2, [seen]);
  expect(seen).toEqual(block(7));
  expect(device.nrBlocks).toBe(9);
  expect(() => device.write(2, [block(8)])).toThrow(ReadOnlyError);
  device.flush();
});

test('`ReadOnlyDevice` closes the other device only if it owns it', () => {
  const lent = new MemoryDevice({ nrBlocks: 1 });
  new ReadOnlyDevice(lent).close();
  lent.flush();
  const owned = new MemoryDevice({ nrBlocks: 1 });
  new ReadOnlyDevice(owned, { ownsInner: true }).close();
  expect(() => owned.flush()).toThrow(StateError);
});
