// npm lmdb. Variants:
//   lmdb        8-byte big-endian keys, putSync in transactionSync, overlappingSync off: commit returns after fdatasync.
//   lmdb-map    the same with useWritemap: msync.
// Its cache is the page cache by way of mmap: it has no size.
import { rmSync } from 'node:fs';
import { open } from 'lmdb';

/** @returns {import('../driver.d.ts').Driver} */
export function make(name) {
  let db, path;
  let queue = [];
  const key = Buffer.alloc(8);
  const value = Buffer.alloc(8);
  const keyOf = (k) => {
    key.writeUInt32BE(Math.floor(k / 4294967296), 0);
    key.writeUInt32BE(k >>> 0, 4);
    return key;
  };
  const run = ({ keys, values, from, to }) => {
    if (values === undefined) for (let i = from; i < to; i++) db.removeSync(keyOf(keys[i]));
    else
      for (let i = from; i < to; i++) {
        const at = 8 * i;
        for (let j = 0; j < 8; j++) value[j] = values[at + j];
        db.putSync(keyOf(keys[i]), value);
      }
  };
  const settings = () => ({
    path,
    noSubdir: true,
    encoding: 'binary',
    keyEncoding: 'binary',
    cache: false,
    compression: false,
    pageSize: 4096,
    noReadAhead: false,
    mapSize: 8 * 2 ** 30,
    noMemInit: true,
    overlappingSync: false,
    useWritemap: name === 'lmdb-map',
  });
  return {
    open(options) {
      path = options.path;
      db = open(settings());
    },
    putMany: (keys, values, from, to) => void queue.push({ keys, values, from, to }),
    del: (keys, from, to) => void queue.push({ keys, from, to }),
    commit() {
      const batches = queue;
      queue = [];
      db.transactionSync(() => batches.forEach(run));
    },
    getMany(keys, out, from, to) {
      let hits = 0;
      for (let i = from; i < to; i++) {
        const found = db.getBinaryFast(keyOf(keys[i]));
        if (!found) continue;
        for (let j = 0, at = 8 * i; j < 8; j++) out[at + j] = found[j];
        hits++;
      }
      return hits;
    },
    scan(start, limit) {
      let n = 0;
      let keySum = 0;
      let valSum = 0;
      for (const entry of db.getRange({ start: Buffer.from(keyOf(start)), limit })) {
        keySum = (keySum + entry.key.readUInt32BE(4)) >>> 0;
        valSum = (valSum + entry.value.readUInt32LE(0)) >>> 0;
        n++;
      }
      return { n, keySum, valSum };
    },
    async compact() {
      const copy = `${path}.copy`;
      rmSync(copy, { force: true });
      await db.backup(copy, true);
      await db.close();
      rmSync(path, { force: true });
      rmSync(`${path}-lock`, { force: true });
      path = copy;
      db = open(settings());
    },
    close: () => db.close(),
    files: () => [path],
  };
}
