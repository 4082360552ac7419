/**
 * What `npm run tour` shows, on files of its own in a temporary folder: a pool that a Linux kernel wrote is opened, checked, listed and rebuilt;
 * then a `Store` is made, snapshotted, changed and compared.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Store, u32, u64 } from 'persistent-data';
import { FileDevice } from 'persistent-data/io';
import { checkThin, dumpThin, ThinMetadata, ThinRestore } from 'persistent-data/thin';

const RECORDED = new URL('../test/golden/thin/multi-64k-clean.bin.gz', import.meta.url);

function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** Checks a pool and says what it found. */
function check(path: string): void {
  const device = FileDevice.open(path, { readOnly: true });
  const findings = [...checkThin(device)];
  device.close();
  for (const { severity, message } of findings) say(`   ${severity}: ${message}`);
  say(
    `   ${findings.length === 0 ? 'no damage: every node and every reference count is right' : `${findings.length} findings`}`,
  );
  if (findings.length > 0) process.exitCode = 1;
}

function list(path: string): void {
  const device = FileDevice.open(path, { readOnly: true });
  const pool = ThinMetadata.open(device);
  say('     id  mapped blocks  made at time  in a snapshot at');
  for (const { id, mappedBlocks, creationTime, snapshottedTime } of pool.devices()) {
    say(
      `   ${[id, mappedBlocks, creationTime, snapshottedTime].map((n, i) => String(n).padStart([8, 10, 12, 16][i]!)).join('')}`,
    );
  }
  pool.close();
  device.close();
}

function tourOfAPool(folder: string): void {
  say('A pool that a Linux kernel wrote');
  const original = join(folder, 'pool.bin');
  writeFileSync(original, gunzipSync(readFileSync(RECORDED)));
  say(`1. check ${original}`);
  check(original);
  say('2. its thin devices');
  list(original);
  say('3. rebuild it, block by block, into a new image');
  const rebuilt = join(folder, 'rebuilt.bin');
  const from = FileDevice.open(original, { readOnly: true });
  const to = FileDevice.open(rebuilt, { create: 'new', nrBlocks: from.nrBlocks });
  dumpThin(from, new ThinRestore(to));
  to.close();
  from.close();
  say(`   ${rebuilt}`);
  say('4. check the new image, and list it');
  check(rebuilt);
  list(rebuilt);
}

function tourOfAStore(folder: string): void {
  const path = join(folder, 'inventory.pdata');
  say();
  say(`A Store, in one file: ${path}`);
  const store = Store.open(path);
  const stock = store.tree('stock', { keys: 2, value: { count: u32, price: u64 } });
  store.transact(() => {
    for (let shop = 1; shop <= 3; shop++) {
      for (let item = 1001; item <= 1004; item++) stock.set([shop, item], { count: 10 * shop, price: 250 });
    }
  });
  say(`1. ${stock.size} items in three shops, committed`);
  const before = store.snapshot('before the sale');
  say('2. a snapshot, "before the sale": O(1), named, writable, there after the next opening');
  store.transact(() => {
    stock.set([2, 1001], { count: 19, price: 199 });
    stock.delete([3, 1004]);
    stock.set([1, 1005], { count: 5, price: 999 });
  });
  say('3. a sale; what changed since the snapshot:');
  for (const change of store.diff(before, store.head).tree('stock')) say(`   ${JSON.stringify(change)}`);
  const findings = [...store.check()];
  say(`4. check: ${findings.length === 0 ? 'all is well' : `${findings.length} findings`}`);
  store.close();
}

const folder = mkdtempSync(join(tmpdir(), 'persistent-data-tour-'));
try {
  tourOfAPool(folder);
  tourOfAStore(folder);
  say();
  say('Next: README.md for the API, `npx pdata --help` for the tools.');
} finally {
  rmSync(folder, { recursive: true });
}
