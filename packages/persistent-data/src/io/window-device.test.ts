import { expect, test } from 'vitest';
import { StateError } from '../base/index.ts';
import { MemoryDevice } from './memory-device.ts';
import { ReadOnlyDevice } from './read-only-device.ts';
import { WindowDevice } from './window-device.ts';

const block = (fill: number) => new Uint8Array(4096).fill(fill);

test('`WindowDevice` numbers its blocks from 0, nested too', () => {
  const memory = new MemoryDevice({ nrBlocks: 10 });
  const outer = new WindowDevice(memory, { begin: 2, nrBlocks: 6 });
  const inner = new WindowDevice(outer, { begin: 3, nrBlocks: 2 });
  inner.write(1, [block(7)]);
  expect(memory.toBytes().indexOf(7)).toBe((2 + 3 + 1) * 4096);
  const seen = block(0);
  outer.read(4, [seen]);
  expect(seen).toEqual(block(7));
});

test('`WindowDevice` lets nothing outside be reached', () => {
  const memory = new MemoryDevice({ nrBlocks: 10 });
  const device = new WindowDevice(memory, { begin: 2, nrBlocks: 3 });
  for (const begin of [-1, 2, 3]) expect(() => device.write(begin, [block(1), block(1)])).toThrow(RangeError);
  expect(() => device.discard?.(2, 2)).toThrow(RangeError);
  expect(memory.toBytes().includes(1)).toBe(false);
});

test('`WindowDevice` must lie inside the other device', () => {
  const memory = new MemoryDevice({ nrBlocks: 10 });
  expect(() => new WindowDevice(memory, { begin: 8, nrBlocks: 3 })).toThrow(RangeError);
  expect(new WindowDevice(memory, { begin: 10, nrBlocks: 0 }).nrBlocks).toBe(0);
});

test('`WindowDevice` can what the other device can', async () => {
  const memory = new MemoryDevice({ nrBlocks: 40 });
  memory.write(20, [block(1)]);
  const device = new WindowDevice(memory, { begin: 16, nrBlocks: 16 });
  await device.flushAsync?.();
  device.discard?.(0, 16);
  expect(memory.toBytes().includes(1)).toBe(false);
  const readOnly = new WindowDevice(new ReadOnlyDevice(memory), { begin: 0, nrBlocks: 1 });
  expect(readOnly.readOnly).toBe(true);
  expect(readOnly.flushAsync).toBeUndefined();
  expect(readOnly.discard).toBeUndefined();
});

test('`WindowDevice` closes the other device only if it owns it', () => {
  const memory = new MemoryDevice({ nrBlocks: 1 });
  new WindowDevice(memory, { begin: 0, nrBlocks: 1 }).close();
  memory.flush();
  new WindowDevice(memory, { begin: 0, nrBlocks: 1, ownsInner: true }).close();
  expect(() => memory.flush()).toThrow(StateError);
});
