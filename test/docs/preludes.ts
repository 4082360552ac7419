/** What an `@example` takes for granted: names its reader knows from the context. By the source file that it stands in. */

const TREE = `
import { BlockManager } from 'persistent-data/block-manager';
import { Btree, BtreeBuilder, Cursor, PLAIN_U64 } from 'persistent-data/btree';
import { createMetadata } from 'persistent-data/disk-space-map';
import { MemoryDevice } from 'persistent-data/io';
const { tm } = createMetadata(new BlockManager(new MemoryDevice({ nrBlocks: 8192 })));
const tree = new Btree(tm, { valueType: PLAIN_U64 });
const root = tree.insert(tree.empty(), 123, 456);
`;

const source = (path: string): string => `packages/persistent-data/src/${path}`;

export const PRELUDES: Readonly<Record<string, string>> = {
  [source('btree/builder.ts')]: TREE,
  [source('btree/cursor.ts')]: TREE,
  [source('store/codec-struct.ts')]: `import { struct, u16, u32, u64 } from 'persistent-data/store';`,
  [source('testing/block-device-suite.ts')]: `
import { MemoryDevice } from 'persistent-data/io';
import { blockDeviceSuite } from 'persistent-data/testing';
const test = (name: string, body: () => unknown): void => void body();
`,
  [source('testing/crash-device.ts')]: `
import { CrashDevice } from 'persistent-data/testing';
const seed = 1;
const verify = (device: { nrBlocks: number }): void => void device.nrBlocks;
const runScript = (device: CrashDevice): void => {
  device.write(0, [new Uint8Array(4096)]);
  device.flush();
};
`,
  [source('xml/grammar.ts')]: `import { XmlGrammar, XmlTokenizer } from 'persistent-data/xml';`,
};
