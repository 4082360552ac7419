/*
 * What has to work on every runtime, against the built library: `npm run smoke` runs this on Node, Bun and Deno.
 * No test library here: a failed check throws.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store, str, u32, u64 } from 'persistent-data';
import { FileDevice, MemoryDevice } from 'persistent-data/io';
import { checkThin, dumpThinXml, restoreThinXml, ThinMetadata } from 'persistent-data/thin';

const runtime = globalThis.Deno
  ? `deno ${Deno.version.deno}`
  : process.versions.bun
    ? `bun ${process.versions.bun}`
    : `node ${process.versions.node}`;

const folder = mkdtempSync(join(tmpdir(), 'persistent-data-smoke-'));

function same(found, wanted, what) {
  const [a, b] = [found, wanted].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${what} is ${a}, ${b} is wanted`);
}

function thinPool(device) {
  const pool = ThinMetadata.format(device, { dataBlockSizeSectors: 128, nrDataBlocks: 1000 });
  pool.createThin(1);
  const thin = pool.openThin(1);
  for (let b = 0; b < 600; b++) thin.insert(b, pool.allocateDataBlock());
  pool.commit();
  pool.createSnapshot({ snapshot: 2, origin: 1 });
  thin.removeRange(100, 200);
  pool.commit();
  return pool;
}

/** Named checks; each throws when it fails. */
const checks = {
  'a Store in a file survives closing and opening': async () => {
    const path = join(folder, 'store.pdata');
    const first = Store.open(path);
    const people = first.tree('people', { value: { name: str(20), age: u32 } });
    first.transact(() => {
      for (let i = 0; i < 1000; i++) people.set(i, { name: `person ${i}`, age: i % 90 });
    });
    first.snapshot('then');
    await first.transactAsync(() => people.set(2n ** 64n - 1n, { name: 'last', age: 1 }));
    first.close();
    const second = Store.open(path);
    const again = second.tree('people', { value: { name: str(20), age: u32 } });
    same(again.size, 1001, 'size');
    same(again.get(7), { name: 'person 7', age: 7 }, 'a value');
    same([...second.check()], [], 'what the check finds');
    second.close();
  },
  'a Store in memory rolls back': () => {
    const store = Store.open(new MemoryDevice({ nrBlocks: 512 }));
    const tree = store.tree('t', { keys: 2, value: u64 });
    store.transact(() => tree.set([1, 2], 3));
    try {
      store.transact(() => {
        tree.set([1, 2], 4);
        throw new Error('no');
      });
    } catch {}
    same(tree.get([1, 2]), 3, 'the value');
    store.close();
  },
  'thin metadata in a file checks clean, and its XML makes the same pool': () => {
    const device = FileDevice.open(join(folder, 'pool.bin'), { create: 'new', nrBlocks: 512 });
    thinPool(device).close();
    same([...checkThin(device)], [], 'what the check finds');
    const xml = dumpThinXml(device);
    const copy = new MemoryDevice({ nrBlocks: 512 });
    restoreThinXml(copy, xml);
    same([...checkThin(copy)], [], 'what the check of the copy finds');
    restoreThinXml(new MemoryDevice({ nrBlocks: 512 }), dumpThinXml(copy));
    device.close();
  },
  'a second writer is refused': () => {
    const path = join(folder, 'locked.pdata');
    const store = Store.open(path);
    let code = 'none';
    try {
      Store.open(path);
    } catch (error) {
      code = error.code;
    }
    same(code, 'PDATA_LOCKED', 'the error');
    store.close();
  },
};

try {
  for (const [name, check] of Object.entries(checks)) {
    await check();
    console.log(`${runtime}: ${name}: ok`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
