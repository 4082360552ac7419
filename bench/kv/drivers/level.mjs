// npm classic-level (LevelDB): 8-byte big-endian keys, no compression, array batches of 10,000, the last one of a transaction with sync: true.
import { ClassicLevel } from 'classic-level';

const BATCH = 10_000;

/** @returns {import('../driver.d.ts').Driver} */
export function make() {
  let db, path;
  let queue = [];
  const keyOf = (k) => {
    const key = Buffer.allocUnsafe(8);
    key.writeUInt32BE(Math.floor(k / 4294967296), 0);
    key.writeUInt32BE(k >>> 0, 4);
    return key;
  };
  return {
    async open(options) {
      path = options.path;
      db = new ClassicLevel(path, {
        keyEncoding: 'buffer',
        valueEncoding: 'buffer',
        compression: false,
        cacheSize: options.cacheBytes,
        writeBufferSize: 64 << 20,
        maxOpenFiles: 4000,
      });
      await db.open();
    },
    putMany: (keys, values, from, to) => void queue.push({ keys, values, from, to }),
    del: (keys, from, to) => void queue.push({ keys, from, to }),
    async commit() {
      const batches = queue;
      queue = [];
      let batch = [];
      for (const { keys, values, from, to } of batches)
        for (let i = from; i < to; i++) {
          if (batch.length === BATCH) {
            await db.batch(batch);
            batch = [];
          }
          const key = keyOf(keys[i]);
          if (values === undefined) batch.push({ type: 'del', key });
          else batch.push({ type: 'put', key, value: Buffer.from(values.buffer, values.byteOffset + 8 * i, 8) });
        }
      await db.batch(batch, { sync: true });
    },
    getMany(keys, out, from, to) {
      let hits = 0;
      for (let i = from; i < to; i++) {
        const found = db.getSync(keyOf(keys[i]));
        if (!found) continue;
        for (let j = 0, at = 8 * i; j < 8; j++) out[at + j] = found[j];
        hits++;
      }
      return hits;
    },
    async scan(start, limit) {
      let n = 0;
      let keySum = 0;
      let valSum = 0;
      const iterator = db.iterator({ gte: keyOf(start), limit, highWaterMarkBytes: 1 << 20 });
      for (;;) {
        const entries = await iterator.nextv(1000);
        if (entries.length === 0) break;
        for (const [key, value] of entries) {
          keySum = (keySum + key.readUInt32BE(4)) >>> 0;
          valSum = (valSum + value.readUInt32LE(0)) >>> 0;
          n++;
        }
      }
      await iterator.close();
      return { n, keySum, valSum };
    },
    compact: () => db.compactRange(keyOf(0), keyOf(2 ** 53 - 1)),
    close: () => db.close(),
    files: () => [path],
  };
}
