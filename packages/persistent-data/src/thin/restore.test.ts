import { describe, expect, test } from 'vitest';
import { makePool, SNAPSHOT_POOL, steps } from '../../../../test/structures/pools.ts';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import { NoSpaceError, ParseError, StateError } from '../base/index.ts';
import { type BlockDevice, MemoryDevice } from '../io/index.ts';
import { checkThin } from './check.ts';
import { dumpThin, dumpThinXml } from './dump.ts';
import { ThinMetadata } from './metadata.ts';
import { restoreThinXml, ThinRestore } from './restore.ts';
import { readThinXml } from './xml-reader.ts';

const PLAIN = (text: string): string => text.replaceAll(/name="\d+"/g, 'name=""');

function restored(xml: string, nrBlocks = 1024, cacheBlocks = 64): SickPool {
  const device = new MemoryDevice({ nrBlocks });
  restoreThinXml(device, xml, { cacheBlocks });
  expect([...checkThin(device)]).toEqual([]);
  return new SickPool(device);
}

function pool(devices: string, nrDataBlocks = 10_000): string {
  return `<superblock uuid="" time="3" transaction="5" version="2" data_block_size="128" nr_data_blocks="${nrDataBlocks}">
${devices}</superblock>`;
}

function device(id: number, mappedBlocks: number, content: string): string {
  return `<device dev_id="${id}" mapped_blocks="${mappedBlocks}" transaction="1" creation_time="0" snap_time="2">${content}</device>`;
}

const range = (origin: number, data: number, length: number): string =>
  `<range_mapping origin_begin="${origin}" data_begin="${data}" length="${length}" time="0"/>`;
const def = (name: string, content: string): string => `<def name="${name}">${content}</def>`;
const ref = (name: string): string => `<ref name="${name}"/>`;

describe('dump, restore, dump', () => {
  const shapes = {
    'an empty pool': { devices: [] },
    'a snapshot': SNAPSHOT_POOL,
    'small shared devices': {
      devices: [
        { id: 1, mapped: [1, 2] },
        { id: 2, origin: 1, mapped: [] },
        { id: 3, mapped: [] },
        { id: 4, origin: 3, mapped: [] },
      ],
    },
    'runs cut by several devices': {
      devices: [
        { id: 0, mapped: steps(0, 6000, 2) },
        { id: 1, origin: 0, mapped: [1500] },
        { id: 2, origin: 0, mapped: [3000, 3002] },
        { id: 3, origin: 1, mapped: [4500, 9000] },
      ],
    },
  };
  test.each(Object.entries(shapes))('%s', (_, shape) => {
    const first = dumpThinXml(makePool(shape));
    const second = dumpThinXml(restored(first).device);
    const hasEmptyDef = /<def name="\d+">\s*<\/def>/.test(first);
    if (!hasEmptyDef) expect(PLAIN(second)).toBe(PLAIN(first));
    expect(dumpThinXml(restored(second).device)).toBe(second);
  });

  test('a dump is restored without XML', () => {
    const source = makePool(SNAPSHOT_POOL);
    const target = new MemoryDevice({ nrBlocks: 1024 });
    dumpThin(source, new ThinRestore(target, { cacheBlocks: 32 }));
    expect(PLAIN(dumpThinXml(target))).toBe(PLAIN(dumpThinXml(source)));
  });

  test('the pool can be opened and used', () => {
    const { device: target } = restored(dumpThinXml(makePool(SNAPSHOT_POOL)));
    const metadata = ThinMetadata.open(target);
    const thin = metadata.openThin(2);
    const dataBlock = metadata.allocateDataBlock();
    thin.insert(5000, dataBlock);
    thin.close();
    metadata.close();
    expect([...checkThin(target)]).toEqual([]);
  });
});

describe('the image', () => {
  test('has the blocks in the order of the tools', () => {
    const xml = pool(device(1, 300, range(0, 0, 300)) + device(2, 4, range(0, 0, 4)));
    const sick = restored(xml);
    expect([sick.children(sick.deviceRoot(0)), sick.deviceRoot(0), sick.deviceRoot(1)]).toEqual([[1, 2], 3, 4]);
    expect([sick.detailsRoot, sick.mappingRoot, sick.bitmap('data')]).toEqual([5, 6, 7]);
    const [data, metadata] = [sick.spaceMap('data'), sick.spaceMap('metadata')];
    expect([data.refCountRoot, data.bitmapRoot, sick.bitmap('metadata')]).toEqual([8, 9, 10]);
    expect([metadata.refCountRoot, metadata.bitmapRoot, metadata.nrAllocated]).toEqual([11, 12, 13]);
  });

  test('has full leaves, the last two halved', () => {
    const sick = restored(pool(device(1, 1000, range(7, 0, 1000))));
    expect(sick.children(sick.deviceRoot(0)).map((leaf) => sick.keys(leaf).length)).toEqual([252, 252, 248, 248]);
  });

  test('has version 2 and no flags, whatever the XML says; devices by id', () => {
    const devices = device(9, 0, '') + device(2, 0, '');
    const sick = restored(pool(devices).replace('version="2"', 'flags="1" version="1"'));
    expect(dumpThinXml(sick.device)).toMatch(/time="3" transaction="5" version="2"[\s\S]*dev_id="2"[\s\S]*dev_id="9"/);
  });
});

describe('defs', () => {
  test('a def is written once and shared, also when it refers to another', () => {
    const defs = def('a', range(0, 0, 300)) + def('b', ref('a') + range(1000, 1000, 300));
    const sick = restored(
      pool(`${defs}${device(1, 600, ref('b'))}${device(2, 300, ref('a'))}${device(3, 600, ref('b'))}`),
    );
    const leaves = [0, 1, 2].map((i) => sick.children(sick.deviceRoot(i)));
    expect(leaves).toEqual([
      [1, 2, 3, 4],
      [1, 2],
      [1, 2, 3, 4],
    ]);
  });

  test('few mappings beside a def take a leaf of it apart, for this device alone', () => {
    const defs = def('a', range(0, 0, 300)) + def('b', range(400, 400, 300));
    const one = device(1, 605, ref('a') + range(350, 1000, 5) + ref('b'));
    const others = [2, 3].map((id) => device(id, 600, ref('a') + ref('b'))).join('');
    const sick = restored(pool(defs + one + others));
    expect([0, 1, 2].map((i) => sick.children(sick.deviceRoot(i)))).toEqual([
      [1, 2, 5, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
  });

  test('few mappings behind a def take its last leaf apart', () => {
    const xml = def('a', range(0, 0, 300)) + device(1, 301, ref('a') + range(350, 1000, 1)) + device(2, 300, ref('a'));
    const sick = restored(pool(xml));
    expect([0, 1].map((i) => sick.children(sick.deviceRoot(i)))).toEqual([
      [1, 3],
      [1, 2],
    ]);
  });

  test('a small def is shared as a root, and nowhere else', () => {
    const defs = def('a', range(10, 10, 5)) + def('b', range(400, 400, 5));
    const devices = [
      device(1, 10, ref('a') + ref('b')),
      device(2, 5, ref('a')),
      device(3, 5, ref('a')),
      device(4, 6, range(1, 1, 1) + ref('a')),
      device(5, 6, ref('a') + range(20, 20, 1)),
    ];
    const sick = restored(pool(defs + devices.join('')));
    const roots = sick.children(sick.mappingRoot);
    expect(roots[1]).toBe(roots[2]);
    expect(new Set(roots).size).toBe(4);
  });

  test('a def that nobody uses leaves nothing behind', () => {
    const sick = restored(pool(def('a', range(0, 0, 300)) + def('b', '') + device(1, 0, ref('b'))));
    expect(sick.spaceMap('data').nrAllocated).toBe(0);
  });
});

describe('what cannot be restored', () => {
  const failing: [string, new (...args: never[]) => Error, string, number?][] = [
    ['a metadata device that is too small', NoSpaceError, pool(device(1, 9000, range(0, 0, 9000))), 20],
    ['one without a block', NoSpaceError, pool(''), 0],
    ['a data block beyond the last', ParseError, pool(device(1, 1, range(0, 10_000, 1)))],
    ['mappings out of order', ParseError, pool(device(1, 2, range(5, 5, 1) + range(5, 6, 1)))],
    ['another number of mappings', ParseError, pool(device(1, 2, range(5, 5, 1)))],
    ['a ref without a def', ParseError, pool(device(1, 2, ref('a')))],
    ['a device twice', ParseError, pool(device(1, 0, '') + device(1, 0, ''))],
    ['a text that ends too early', ParseError, pool(device(1, 1, range(5, 5, 1))).slice(0, -5)],
    ['data blocks whose counts find no room', NoSpaceError, pool('', 2 ** 40)],
    ['a block size of no pool', ParseError, pool('').replace('"128"', '"100"')],
  ];
  test.each(failing)('%s', (_, kind, xml, nrBlocks = 1024) => {
    const target = new MemoryDevice({ nrBlocks });
    if (nrBlocks > 20) restoreThinXml(target, pool(''));
    expect(() => restoreThinXml(target, xml, { cacheBlocks: 32 })).toThrow(kind);
    // An old pool is gone as soon as the new one has begun, not before.
    const isUntouched = xml.includes('"100"') || xml.includes(`"${2 ** 40}"`);
    expect([...checkThin(target)].length === 0).toBe(isUntouched);
  });

  test('text that is no XML touches nothing', () => {
    const target = makePool(SNAPSHOT_POOL);
    const before = dumpThinXml(target);
    expect(() => restoreThinXml(target, 'hello')).toThrow(ParseError);
    expect(dumpThinXml(target)).toBe(before);
  });

  test('what comes out of turn', () => {
    const restore = new ThinRestore(new MemoryDevice({ nrBlocks: 100 }));
    const superblock = { uuid: '', time: 0, transaction: 0, dataBlockSize: 128, nrDataBlocks: 10 };
    const thin = { devId: 1, mappedBlocks: 2, transaction: 0, creationTime: 0, snapTime: 0 };
    expect(() => restore.superblockEnd()).toThrow('missing superblock');
    expect(() =>
      new ThinRestore(new MemoryDevice({ nrBlocks: 100 })).superblockBegin({ ...superblock, dataBlockSize: 1 }),
    ).toThrow('invalid data block size');
    restore.superblockBegin(superblock);
    expect(() => restore.superblockBegin(superblock)).toThrow('duplicated superblock');
    expect(() => restore.map(0, 0, 1, 0)).toThrow(StateError);
    expect(() => restore.deviceEnd()).toThrow(StateError);
    expect(() => restore.ref('a')).toThrow(StateError);
    expect(() => restore.deviceBegin({ ...thin, devId: 2 ** 24 })).toThrow(RangeError);
    restore.deviceBegin(thin);
    expect(() => restore.deviceBegin(thin)).toThrow(StateError);
    expect(() => restore.superblockEnd()).toThrow(StateError);
    expect(() => restore.map(0, 10, 1, 0)).toThrow('found data blocks to 10, there are 10');
    restore.map(5, 0, 1, 0);
    expect(() => restore.map(5, 1, 1, 0)).toThrow(RangeError);
    expect(() => restore.deviceEnd()).toThrow('found 1 mappings, mapped_blocks is 2');
  });
});

test('the old superblock goes first, the new one comes last, each with its flush', () => {
  const target = makePool({ devices: [] });
  const log: string[] = [];
  const watched: BlockDevice = Object.create(target, {
    nrBlocks: { value: target.nrBlocks },
    read: { value: target.read.bind(target) },
    write: {
      value: (begin: number, buffers: readonly Uint8Array[]) => {
        log.push(begin === 0 ? 'superblock' : 'others');
        target.write(begin, buffers);
      },
    },
    flush: { value: () => log.push('flush') },
  });
  restoreThinXml(watched, pool(device(1, 9000, range(0, 0, 9000))), { cacheBlocks: 32 });
  const others = log.slice(2, -3);
  expect(log.slice(0, 2)).toEqual(['superblock', 'flush']);
  expect(new Set(others)).toEqual(new Set(['others']));
  expect(log.slice(-3)).toEqual(['flush', 'superblock', 'flush']);
});

test('after a restore that broke off the device has a superblock that nobody takes for one', () => {
  const target = makePool(SNAPSHOT_POOL);
  const restore = new ThinRestore(target);
  const text = pool(device(1, 300, range(0, 0, 300)));
  expect(() => readThinXml([new TextEncoder().encode(text.slice(0, -20))], restore)).toThrow(ParseError);
  const bytes = target.toBytes().subarray(0, 4096);
  expect(new TextDecoder().decode(bytes)).toContain('A pool is being restored here');
  expect([...checkThin(target)]).toMatchObject([{ code: 'thin.superblock', message: expect.stringContaining('csum') }]);
  expect(() => ThinMetadata.open(target)).toThrow('csum');
});
