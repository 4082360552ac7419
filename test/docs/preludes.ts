/**
 * What an `@example` takes for granted: the exports of its own layer, which `examples.test.ts` imports by itself, and what stands here: names that
 * its reader knows from the context.
 */

const TREE = `
import { BlockManager } from 'persistent-data/block-manager';
import { Btree, PLAIN_U64 } from 'persistent-data/btree';
import { createMetadata } from 'persistent-data/disk-space-map';
import { MemoryDevice } from 'persistent-data/io';
const { tm } = createMetadata(new BlockManager(new MemoryDevice({ nrBlocks: 8192 })));
const tree = new Btree(tm, { valueType: PLAIN_U64 });
const root = tree.insert(tree.empty(), 123, 456);
const before = root;
tm.inc(root);
const after = tree.insert(root, 124, 457);
`;

const POOL = `
import { MemoryDevice } from 'persistent-data/io';
const device = new MemoryDevice({ nrBlocks: 1024 });
const metadata = ThinMetadata.format(device, { dataBlockSizeSectors: 128, nrDataBlocks: 64 });
metadata.createThin(1);
metadata.commit();
const xml = dumpThinXml(device);
`;

const ERA = `
import { MemoryDevice } from 'persistent-data/io';
const device = new MemoryDevice({ nrBlocks: 256 });
EraMetadata.format(device, { blockSizeSectors: 128 }).resume(1024);
`;

const STORE = `
import { MemoryDevice } from 'persistent-data/io';
const store = Store.open(new MemoryDevice({ nrBlocks: 1024 }));
store.transact(() => store.tree('stock', { value: u32 }).set(1, 2));
const before = store.snapshot('before');
store.transact(() => store.tree('stock', { value: u32 }).set(1, 3));
`;

const DEVICE = `
import { MemoryDevice } from 'persistent-data/io';
`;

const THIN_POOL = `
import { MemoryDevice } from 'persistent-data/io';
const metadata = new MemoryDevice({ nrBlocks: 1024 });
const data = new MemoryData({ sizeBytes: 2 ** 26 });
const bytes = new Uint8Array(4096);
`;

const CACHE = `
import { MemoryDevice } from 'persistent-data/io';
const device = new MemoryDevice({ nrBlocks: 1024 });
const xml = '<superblock uuid="" block_size="128" nr_cache_blocks="64" policy="smq" hint_width="4"><mappings/><hints/></superblock>';
restoreCacheXml(device, xml);
`;

/** By layer. */
const CONTEXTS: Readonly<Record<string, string>> = {
  btree: TREE,
  nbd: DEVICE,
  array: TREE,
  bitset: TREE,
  store: STORE,
  thin: POOL,
  'thin-pool': THIN_POOL,
  cache: CACHE,
  era: ERA,
};

const MEMORY_DEVICE = `
import { MemoryDevice } from 'persistent-data/io';
const test = (name: string, body: () => unknown): void => void body();
`;

/** By file, where the layer's context is not what is wanted. */
const FILES: Readonly<Record<string, string>> = {
  'array/array-cursor.ts': `${TREE}
const array = new PersistentArray(tm, PLAIN_U64);
const elements = array.create(1000, (i) => i);
`,
  'testing/block-device-suite.ts': MEMORY_DEVICE,
  'testing/crash-device.ts': `
const seed = 1;
const verify = (device: { nrBlocks: number }): void => void device.nrBlocks;
const runScript = (device: CrashDevice): void => {
  device.write(0, [new Uint8Array(4096)]);
  device.flush();
};
`,
};

/** The names that an example in `path`, below `src/`, takes for granted. */
export function contextOf(path: string): string {
  return FILES[path] ?? CONTEXTS[path.split('/')[0]!] ?? '';
}
