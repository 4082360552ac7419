import { expect, test } from 'vitest';
import { NODE_DAMAGES, NODE_DOERS, operate, pick, valueWord } from './node-damage.ts';
import { Random } from './random.ts';
import { StorePatient } from './store-damage.ts';
import { makeStore } from './store-shape.ts';

const DEVICE = makeStore({ collections: [{ name: 't', kind: 'tree', length: 2000 }], options: { journalBlocks: 4 } });

test.each(NODE_DAMAGES)('%s changes the device, and leaves the patient as it was', (kind) => {
  const patient = new StorePatient(DEVICE);
  const before = patient.allNodes.map((block) => patient.image.bytesOf(block).slice());
  const damaged = DEVICE.fork();
  for (let seed = 1; seed <= 5; seed++) operate(patient, damaged, NODE_DOERS[kind], new Random(seed));
  expect(Buffer.compare(damaged.toBytes(), DEVICE.toBytes())).not.toBe(0);
  for (const [i, block] of patient.allNodes.entries()) {
    expect(Buffer.compare(patient.image.bytesOf(block), before[i] as Uint8Array)).toBe(0);
  }
});

test('what cannot be done changes nothing', () => {
  const damaged = DEVICE.fork();
  expect(operate(new StorePatient(DEVICE), damaged, () => undefined, new Random(1))).toBeUndefined();
  expect(Buffer.compare(damaged.toBytes(), DEVICE.toBytes())).toBe(0);
  expect(pick(new Random(1), [])).toBeUndefined();
});

test('values lie behind the room for all keys', () => {
  const { image, allNodes } = new StorePatient(DEVICE);
  const base = image.load(allNodes[0] as number);
  const [maxEntries, size] = [image.u32(base, 5), image.u32(base, 6)];
  expect(valueWord(image, base, 2)).toBe(8 + 2 * maxEntries + size / 2);
});
