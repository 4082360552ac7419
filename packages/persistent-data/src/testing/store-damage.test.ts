import { expect, test } from 'vitest';
import { PersistentDataError } from '../base/index.ts';
import type { MemoryDevice } from '../io/index.ts';
import { Store } from '../store/index.ts';
import { Random } from './random.ts';
import { damageStore, STORE_DAMAGES, StorePatient } from './store-damage.ts';
import { makeStore } from './store-shape.ts';

const SOUND = makeStore({
  collections: [
    { name: 'keys', kind: 'tree', length: 2000 },
    { name: 'few', kind: 'tree', length: 5 },
    { name: 'numbers', kind: 'array', length: 4000 },
  ],
  nrSnapshots: 2,
  options: { journalBlocks: 4 },
});

/** Whether a check, or opening the store for it, says that something is wrong. */
function isFound(device: MemoryDevice): boolean {
  try {
    return [...Store.open(device, { readOnly: true }).check()].length > 0;
  } catch (error) {
    if (error instanceof PersistentDataError) return true;
    throw error;
  }
}

test.each(STORE_DAMAGES)('damage of the kind %s is done to a store, and is found', (kind) => {
  const patient = new StorePatient(SOUND);
  expect(isFound(SOUND.fork())).toBe(false);
  let nrDone = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const damaged = SOUND.fork();
    const done = damageStore(patient, damaged, kind, new Random(seed));
    if (done === undefined) continue;
    nrDone++;
    expect(isFound(damaged), `seed ${seed}: ${done}`).toBe(true);
  }
  expect(nrDone).toBeGreaterThan(3);
});

test('a file that is longer than its space map has a patient too, and no count beyond the map is damaged', () => {
  const device = SOUND.fork();
  const { nrBlocks } = new StorePatient(SOUND);
  device.resize(device.nrBlocks + 30);
  const patient = new StorePatient(device);
  expect(patient.nrBlocks).toBe(nrBlocks);
  for (let seed = 1; seed <= 10; seed++) {
    const damaged = device.fork();
    if (damageStore(patient, damaged, 'leak', new Random(seed)) !== undefined) expect(isFound(damaged)).toBe(true);
  }
});
