import { describe, expect, test } from 'vitest';
import { CorruptionError, type Finding, isFatal, Slab } from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { KeptVersions } from '../disk-space-map/index.ts';
import { ARRAY_VALIDATOR, NODE_VALIDATOR, NodeView } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { FaultDevice } from '../testing/index.ts';
import {
  checkNameRecord,
  checkText,
  kindOf,
  MAX_SCHEMA_BYTES,
  NAME_TYPE,
  readDescriptor,
  writeDescriptor,
} from './catalogue.ts';
import { checkStore } from './check.ts';
import { u32, u64 } from './codec.ts';
import { HEAD, StoreCore } from './core.ts';
import { Store } from './store.ts';
import { structuresOf } from './structures.ts';

function fullStore() {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device);
  const tree = store.tree('tree', { value: u64 });
  const nested = store.tree('nested', { keys: 2, value: u32 });
  store.array('array', { value: u32, length: 3000, fill: 7 });
  store.bitset('bits', { length: 100_000 });
  store.transact(() => {
    for (let i = 0; i < 2000; i++) {
      tree.set(i, i);
      nested.set([i % 10, i], i);
    }
  });
  store.snapshot('s');
  tree.set(5, 6);
  expect([...store.check()]).toEqual([]);
  return { device, store };
}

function findings(store: Store, device: MemoryDevice): Finding[] {
  return [...checkStore(device, store.engine.superblock)];
}

/** Changes a block and seals it again. */
function damage(device: MemoryDevice, block: number, change: (node: NodeView, slab: Slab) => void): void {
  const slab = Slab.ofSize(4096);
  device.read(block, [slab.bytes]);
  change(new NodeView(slab), slab);
  NODE_VALIDATOR.seal(slab, 0, block);
  device.write(block, [slab.bytes]);
}

describe('`checkStore()`', () => {
  test('ends, with a finding, at every read from which on the device fails', () => {
    const { device, store } = fullStore();
    const counted = new FaultDevice(device);
    expect([...checkStore(counted, store.engine.superblock)]).toEqual([]);
    const nrReads = counted.calls.read;
    expect(nrReads).toBeGreaterThan(10);
    for (let at = 0; at < nrReads; at++) {
      const failing = new FaultDevice(device, { faults: [{ kind: 'error', call: 'read', at, forever: true }] });
      const found = [...checkStore(failing, store.engine.superblock)];
      expect(found.map(({ code }) => code)).toContain('block.io');
    }
  });

  test('finds a descriptor with a wrong count, and goes on', () => {
    const { device, store } = fullStore();
    damage(device, store.engine.superblock.catalogueRoot, (node, slab) => {
      for (let i = 0; i < node.nrEntries; i++) {
        const descriptor = readDescriptor(slab, node.valueAt(i));
        const wrong = { ...descriptor, count: descriptor.count + 1, length: descriptor.length + 100_000 };
        writeDescriptor(slab, node.valueAt(i), wrong);
      }
    });
    const found = findings(store, device);
    expect(found.map(({ code }) => code)).toEqual(['store.count', 'store.count', 'store.count']);
    expect(found.every(isFatal)).toBe(true);
  });

  test('finds a descriptor and a name that are none', () => {
    const { device, store } = fullStore();
    const { catalogueRoot, namesRoot } = store.engine.superblock;
    damage(device, catalogueRoot, (node, slab) => {
      slab.bytes[node.valueAt(0) + 24] = 9;
    });
    damage(device, namesRoot, (node, slab) => {
      const leaf = node.isLeaf ? 0 : -1;
      if (leaf === 0) slab.bytes.fill(0xff, node.valueAt(0), node.valueAt(0) + 4);
    });
    expect(findings(store, device).map(({ code }) => code)).toContain('store.record');
  });

  test('finds an array block of another geometry, and one that is not there', () => {
    const { device, store } = fullStore();
    const { core } = store.engine;
    const raw = core.collection(core.head, core.namesOf(core.head).get('array')!.id)!;
    const slab = Slab.ofSize(4096);
    device.read(raw.root, [slab.bytes]);
    const block = new NodeView(slab).childAt(0);
    device.read(block, [slab.bytes]);
    slab.words[3] = 12;
    ARRAY_VALIDATOR.seal(slab, 0, block);
    device.write(block, [slab.bytes]);
    expect(findings(store, device).map(({ code }) => code)).toEqual([
      expect.stringMatching(/array.geometry|block.content/),
    ]);
    damage(device, raw.root, (node) => node.setChild(1, 1e6));
    expect(findings(store, device).map(({ code }) => code)).toContain('block.outside');
  });

  test('finds blocks that are counted and not used, and used and not counted', () => {
    const { device, store } = fullStore();
    const { spaceMap, tm } = store.engine.core;
    tm.inc(spaceMap.newBlock());
    const { root } = store.engine.core.collection(store.engine.core.head, 1)!;
    spaceMap.setCount(root, 5);
    const codes = [...store.check()].map(({ code }) => code);
    store.engine.journal.overflow();
    store.engine.checkpoint();
    expect(codes).toEqual([]);
    expect(
      findings(store, device)
        .map(({ code }) => code)
        .sort(),
    ).toEqual(['space-map.count', 'space-map.count']);
  });

  test('a store that is damaged says where it is', () => {
    const { device, store } = fullStore();
    const { core } = store.engine;
    const { root } = core.collection(core.head, 1)!;
    store.close();
    const bytes = new Uint8Array(4096);
    device.fork().read(root, [bytes]);
    const image = device.fork();
    image.write(root, [bytes.fill(1, 100, 110)]);
    const again = Store.open(image);
    expect(() => again.tree('tree', { value: u64 }).get(1)).toThrow(
      expect.objectContaining({ code: 'PDATA_CORRUPT', block: root }),
    );
    expect([...again.check()].map(({ block }) => block)).toContain(root);
  });
});

describe('records', () => {
  test('have limits', () => {
    checkNameRecord({ name: 'x'.repeat(255), schema: 'y'.repeat(MAX_SCHEMA_BYTES) });
    expect(() => checkNameRecord({ name: 'x', schema: 'y'.repeat(MAX_SCHEMA_BYTES + 1) })).toThrow(RangeError);
    expect(() => checkText('name', undefined, 5)).toThrow(TypeError);
    expect(kindOf(3)).toBe('bitset');
    expect(() => kindOf(4)).toThrow(CorruptionError);
    const slab = Slab.ofSize(1344);
    const record = { name: 'x'.repeat(255), schema: 'y'.repeat(MAX_SCHEMA_BYTES) };
    NAME_TYPE.write(slab, 0, record);
    expect(NAME_TYPE.read(slab, 0)).toEqual(record);
  });

  test('that no store wrote are corruption', () => {
    const { tm } = StoreCore.create(new BlockManager(new MemoryDevice({ nrBlocks: 256 })), 2, new KeptVersions());
    const structures = structuresOf(tm);
    const shape = { kind: 'tree', levels: 1, valueSize: 8 } as const;
    for (const wrong of [
      { levels: 0 },
      { levels: 9 },
      { valueSize: 0 },
      { valueSize: 5000 },
      { kind: 'array' as const, levels: 2 },
    ]) {
      expect(() => structures.empty({ ...shape, ...wrong })).toThrow(CorruptionError);
    }
    expect(() => structures.empty({ ...shape, kind: 'bitset', valueSize: 4 })).toThrow(CorruptionError);
    expect(structures.empty(shape)).toBeGreaterThan(1);
    const descriptor = { ...shape, root: 5, count: 0, length: 2 ** 64 };
    expect(() => structures.load(0, 1, descriptor)).toThrow(CorruptionError);
  });
});

test('the core loads branches and collections when they are asked for', () => {
  const { store } = fullStore();
  const { core } = store.engine;
  expect(core.branch(HEAD)).toBe(core.head);
  expect(core.branch(99)).toBeUndefined();
  expect(core.collection(core.head, 99)).toBeUndefined();
  expect([...core.listSnapshots()].map(({ name }) => name)).toEqual(['s']);
});

test('a descriptor that contradicts its schema, and an array that is shorter than it says, are corruption', () => {
  const { device, store } = fullStore();
  const { catalogueRoot } = store.engine.superblock;
  store.close();
  const image = device.fork();
  const { superblock } = Store.open(image.fork(), { readOnly: true }).engine;
  expect(superblock.catalogueRoot).toBeGreaterThan(1);
  damage(image, superblock.catalogueRoot, (node, slab) => {
    for (let i = 0; i < node.nrEntries; i++) {
      const descriptor = readDescriptor(slab, node.valueAt(i));
      const isTree = descriptor.kind === 'tree' && descriptor.levels === 1;
      const wrong = isTree ? { ...descriptor, kind: 'array' as const } : { ...descriptor, length: 1e6 };
      writeDescriptor(slab, node.valueAt(i), wrong);
    }
  });
  const again = Store.open(image, { readOnly: true });
  expect(() => again.tree('tree', { value: u64 })).toThrow(CorruptionError);
  expect(() => again.array('array', { value: u32 }).get(999_999)).toThrow(/its blocks end before its length/);
  expect(() => [...again.diff(again, again).tree('tree')]).toThrow(CorruptionError);
  expect(catalogueRoot).toBeGreaterThan(1);
});
