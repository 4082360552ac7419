// The Store of this library as it is built: one tree of u64 values.
import { Store, u64 } from 'persistent-data/store';

/** @returns {import('../driver.d.ts').Driver} */
export function make() {
  let store, tree, path;
  let running = false;
  const begin = () => {
    if (!running) store.begin();
    running = true;
  };
  return {
    /** For the workloads that only this store has. */
    get store() {
      return store;
    },
    get tree() {
      return tree;
    },
    open(options) {
      path = options.path;
      store = Store.open(path, { cacheBytes: options.cacheBytes });
      tree = store.tree('kv', { value: u64 });
    },
    putMany(keys, values, from, to) {
      begin();
      const words = new Uint32Array(values.buffer, values.byteOffset, values.byteLength >>> 2);
      for (let i = from; i < to; i++) tree.set(keys[i], words[2 * i + 1] * 4294967296 + words[2 * i]);
    },
    del(keys, from, to) {
      begin();
      for (let i = from; i < to; i++) tree.delete(keys[i]);
    },
    commit() {
      store.commit();
      running = false;
    },
    putAlone: (key, value) => store.transactAsync(() => tree.set(key, value)),
    getMany(keys, out, from, to) {
      const words = new Uint32Array(out.buffer, out.byteOffset, out.byteLength >>> 2);
      let hits = 0;
      for (let i = from; i < to; i++) {
        const value = tree.get(keys[i]);
        if (value === undefined) continue;
        words[2 * i] = value;
        words[2 * i + 1] = value / 4294967296;
        hits++;
      }
      return hits;
    },
    scan(start, limit) {
      let n = 0;
      let keySum = 0;
      let valSum = 0;
      // `| 0`: what a closure keeps is a small integer then, and no number on the heap for each entry.
      const visit = (value, key) => {
        keySum = (keySum + key) | 0;
        valSum = (valSum + value) | 0;
        return ++n < limit;
      };
      tree.forEach(visit, start);
      return { n, keySum: keySum >>> 0, valSum: valSum >>> 0 };
    },
    scanFor(start, limit) {
      let n = 0;
      let keySum = 0;
      let valSum = 0;
      for (const [key, value] of tree.range(start)) {
        keySum = (keySum + key) >>> 0;
        valSum = (valSum + (value >>> 0)) >>> 0;
        if (++n === limit) break;
      }
      return { n, keySum, valSum };
    },
    compact: () => void store.compact(),
    close: () => store.close(),
    files: () => [path],
  };
}
