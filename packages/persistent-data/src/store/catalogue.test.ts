import { expect, test } from 'vitest';
import { CorruptionError, Slab } from '../base/index.ts';
import { NODE_VALIDATOR, NodeView, STORE_SNAPSHOT } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { Branch } from './branch.ts';
import { NAME_TYPE, snapshotType } from './catalogue.ts';
import { checkStore } from './check.ts';
import { u32 } from './codec.ts';
import { Store } from './store.ts';

test.each([
  [0, 5, /nameLength is 0/],
  [300, 5, /nameLength is 300/],
  [255, 65_000, /texts take 65255 bytes/],
])('a record of a name of %i bytes and a schema of %i is corruption', (name, schema, message) => {
  const slab = Slab.ofSize(4096);
  slab.view.setUint16(0, name, true);
  slab.view.setUint16(2, schema, true);
  expect(() => NAME_TYPE.read(slab, 0)).toThrow(CorruptionError);
  expect(() => NAME_TYPE.read(slab, 0)).toThrow(message);
});

test('so is a snapshot whose name is longer than its record', () => {
  const slab = Slab.ofSize(4096);
  slab.words[STORE_SNAPSHOT.offset('nameLength') >>> 2] = 5000;
  expect(() => snapshotType(() => undefined).read(slab, 0)).toThrow(/nameLength is 5000/);
});

test('so are two collections of one name', () => {
  const branch = new Branch(1, 'snapshot "s"', { catalogueRoot: 1, namesRoot: 2, parent: 0 });
  const record = { name: 'twice', schema: 'tree value=u32' };
  expect(() =>
    branch.names(() => [
      { id: 1, ...record },
      { id: 2, ...record },
    ]),
  ).toThrow(CorruptionError);
});

test('a collection without a name, and a name without a collection, are found', () => {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device);
  store.tree('a', { value: u32 });
  store.tree('b', { value: u32 });
  expect([...store.check()]).toEqual([]);
  const { superblock } = store.engine;
  // The names are those of collections 1 and 7.
  const slab = Slab.ofSize(4096);
  device.read(superblock.namesRoot, [slab.bytes]);
  expect(new NodeView(slab).keyAt(1)).toBe(2);
  slab.words[8 + 2] = 7;
  NODE_VALIDATOR.seal(slab, 0, superblock.namesRoot);
  device.write(superblock.namesRoot, [slab.bytes]);
  const found = [...checkStore(device, superblock)].map(({ code, message }) => [code, message]);
  expect(found).toContainEqual(['store.ids', 'Collection 2 has no name']);
  expect(found).toContainEqual(['store.ids', 'Collection 7 has a name and is not in the catalogue']);
});
