// npm better-sqlite3. All with WAL and synchronous=FULL (fsync of the WAL before commit returns), exclusive locking (no lock calls for each
// statement), mmap. Variants:
//   sqlite      k INTEGER PRIMARY KEY (64 bits), v BLOB
//   sqlite-int  the same with v INTEGER, as a JavaScript number
//   sqlite-wr   k BLOB of 8 bytes, WITHOUT ROWID: all of u64 in order
import Database from 'better-sqlite3';

/** @returns {import('../driver.d.ts').Driver} */
export function make(name) {
  let db, path, insert, select, range, remove;
  let queue = [];
  const isInt = name === 'sqlite-int';
  const isBlob = name === 'sqlite-wr';
  const key = Buffer.alloc(8);
  const blobOf = (k) => {
    key.writeUInt32BE(Math.floor(k / 4294967296), 0);
    key.writeUInt32BE(k >>> 0, 4);
    return key;
  };
  const keyOf = isBlob ? blobOf : (k) => k;
  const lowKey = isBlob ? (k) => k.readUInt32BE(4) : (k) => k;
  const lowValue = isInt ? (v) => v >>> 0 : (v) => v.readUInt32LE(0);
  const run = ({ keys, values, from, to }) => {
    if (values === undefined) for (let i = from; i < to; i++) remove.run(keyOf(keys[i]));
    else if (isInt) {
      const words = new Uint32Array(values.buffer, values.byteOffset, values.byteLength >>> 2);
      for (let i = from; i < to; i++) insert.run(keys[i], words[2 * i + 1] * 4294967296 + words[2 * i]);
    } else {
      const value = Buffer.alloc(8);
      for (let i = from; i < to; i++) {
        for (let j = 0, at = 8 * i; j < 8; j++) value[j] = values[at + j];
        insert.run(keyOf(keys[i]), value);
      }
    }
  };
  return {
    open(options) {
      path = options.path;
      ({ db, insert, select, range, remove } = prepare(
        options,
        isBlob ? 'BLOB' : 'INTEGER',
        isInt ? 'INTEGER' : 'BLOB',
      ));
    },
    putMany: (keys, values, from, to) => void queue.push({ keys, values, from, to }),
    del: (keys, from, to) => void queue.push({ keys, from, to }),
    commit() {
      const batches = queue;
      queue = [];
      db.exec('BEGIN IMMEDIATE');
      batches.forEach(run);
      db.exec('COMMIT');
    },
    getMany(keys, out, from, to) {
      const words = new Uint32Array(out.buffer, out.byteOffset, out.byteLength >>> 2);
      let hits = 0;
      for (let i = from; i < to; i++) {
        const found = select.get(keyOf(keys[i]));
        if (found === undefined) continue;
        hits++;
        if (isInt) {
          words[2 * i] = found;
          words[2 * i + 1] = found / 4294967296;
        } else for (let j = 0, at = 8 * i; j < 8; j++) out[at + j] = found[j];
      }
      return hits;
    },
    scan(start, limit) {
      let n = 0;
      let keySum = 0;
      let valSum = 0;
      const rows = limit <= 1000 ? range.all(keyOf(start), limit) : range.iterate(keyOf(start), limit);
      for (const [k, v] of rows) {
        keySum = (keySum + lowKey(k)) >>> 0;
        valSum = (valSum + lowValue(v)) >>> 0;
        n++;
      }
      return { n, keySum, valSum };
    },
    compact() {
      db.exec('VACUUM');
      db.pragma('wal_checkpoint(TRUNCATE)');
    },
    close: () => void db.close(),
    files: () => [path, `${path}-wal`],
  };
}

function prepare({ path, cacheBytes }, keyType, valueType) {
  const db = new Database(path);
  db.pragma('page_size=4096');
  db.pragma('locking_mode=EXCLUSIVE');
  db.pragma('journal_mode=WAL');
  db.pragma('synchronous=FULL');
  db.pragma(`cache_size=-${cacheBytes >>> 10}`);
  db.pragma('mmap_size=8589934592');
  const end = keyType === 'BLOB' ? ' WITHOUT ROWID' : '';
  db.exec(`CREATE TABLE IF NOT EXISTS kv(k ${keyType} PRIMARY KEY, v ${valueType})${end}`);
  return {
    db,
    insert: db.prepare('INSERT INTO kv VALUES(?,?) ON CONFLICT(k) DO UPDATE SET v=excluded.v'),
    select: db.prepare('SELECT v FROM kv WHERE k=?').pluck(),
    range: db.prepare('SELECT k,v FROM kv WHERE k>=? ORDER BY k LIMIT ?').raw(),
    remove: db.prepare('DELETE FROM kv WHERE k=?'),
  };
}
