import { describe, expect, test } from 'vitest';
import { makePool, SNAPSHOT_POOL, steps } from '../../../../test/structures/pools.ts';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import { DeviceError, type Finding, isFatal, StateError } from '../base/index.ts';
import { type BlockDevice, MemoryDevice } from '../io/index.ts';
import { checkThin, ThinCheck, type ThinCheckOptions, type ThinCheckPhase } from './check.ts';
import type { DeviceFinding } from './check-devices.ts';
import { ThinMetadata } from './metadata.ts';

const check = (pool: SickPool, options?: ThinCheckOptions): Finding[] => [...checkThin(pool.device, options)];
const codes = (findings: Finding[]): string[] => findings.map(({ code }) => code);
const sick = (shape = SNAPSHOT_POOL): SickPool => new SickPool(makePool(shape));

/** A leaf of device 1, by its place below the root. */
const leaf = (pool: SickPool, index: number): number => pool.children(pool.deviceRoot(0))[index]!;

describe('a pool without damage', () => {
  test('has no findings', () => {
    expect(check(sick())).toEqual([]);
    expect(check(sick({ devices: [] }))).toEqual([]);
  });

  test('that is open is checked as its last commit left it', () => {
    const pool = ThinMetadata.open(makePool(SNAPSHOT_POOL));
    pool.createThin(9);
    expect([...checkThin(pool)]).toEqual([]);
    pool.rollback();
  });

  test('with a metadata snapshot has no findings, whole or the snapshot alone', () => {
    const pool = sick({ ...SNAPSHOT_POOL, afterSnapshot: [0, 3, 1797, 2000] });
    expect(check(pool)).toEqual([]);
    expect(check(pool, { metadataSnapshot: true })).toEqual([]);
  });

  test('phases and progress are told in order', () => {
    const phases: ThinCheckPhase[] = [];
    const progress: number[] = [];
    const pool = sick({ ...SNAPSHOT_POOL, afterSnapshot: [0] });
    const onPhase = (phase: ThinCheckPhase): void => void phases.push(phase);
    const onProgress = (done: number, total: number): void => void progress.push(done / total);
    expect(check(pool, { onPhase, onProgress })).toEqual([]);
    expect(phases).toEqual([
      'top-level',
      'details',
      'mappings',
      'metadata-snapshot',
      'data-space-map',
      'metadata-space-map',
    ]);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(1);
  });
});

describe('the superblock', () => {
  test.each([
    ['checksum', (pool: SickPool) => pool.spoil(0, 200)],
    ['magic', (pool: SickPool) => pool.edit(0, (view) => view.setUint32(32, 1, true))],
    ['block number', (pool: SickPool) => pool.edit(0, (view) => view.setUint32(8, 1, true))],
  ])('with a wrong %s ends the check', (_, damage) => {
    const pool = sick();
    damage(pool);
    expect(check(pool)).toMatchObject([{ severity: 'fatal', code: 'thin.superblock', block: 0 }]);
  });

  test('of an empty device, and of one that cannot be read', () => {
    expect(codes([...checkThin(new MemoryDevice({ nrBlocks: 0 }))])).toEqual(['thin.superblock']);
    const { device } = sick();
    const dead: BlockDevice = Object.create(device, {
      nrBlocks: { value: 10 },
      read: {
        value: () => {
          throw new DeviceError('Cannot read: broken');
        },
      },
    });
    expect([...checkThin(dead)]).toMatchObject([{ code: 'thin.superblock', message: 'Cannot read: broken' }]);
  });

  test('alone is checked with `superblockOnly`', () => {
    const pool = sick();
    pool.spoil(pool.mappingRoot);
    expect(check(pool, { superblockOnly: true })).toEqual([]);
  });
});

describe('the devices', () => {
  test('whose list cannot be read', () => {
    const pool = sick();
    pool.spoil(pool.mappingRoot);
    expect(codes(check(pool).filter(isFatal))).toEqual(['btree.node']);
  });

  test('whose details cannot be read are checked all the same', () => {
    const pool = sick();
    pool.spoil(pool.detailsRoot);
    pool.spoil(leaf(pool, 1));
    // Device 2 shares the leaf.
    expect(codes(check(pool).filter(isFatal))).toEqual(['btree.node', 'btree.node', 'thin.device', 'thin.device']);
  });

  test('are the same in list and details', () => {
    const pool = sick();
    pool.setKey(pool.detailsRoot, 2, 8);
    expect(check(pool).filter(({ code }) => code === 'thin.ids')).toMatchObject([{ device: 7 }, { device: 8 }]);
  });

  test('have as many mappings as their details say', () => {
    const pool = sick();
    pool.edit(pool.detailsRoot, (view) => view.setUint32(32 + 126 * 8 + 24, 5, true));
    const text = 'Thin device 2 has unexpected number of mappings, expected 5, actual 600';
    expect(check(pool)).toMatchObject([
      { code: 'thin.mapped-blocks', device: 2, expected: 5, found: 600, message: text },
    ]);
    expect(check(pool, { skipMappings: true })).toEqual([]);
  });

  test('without a root', () => {
    const pool = sick();
    pool.spoil(pool.deviceRoot(2));
    const findings = check(pool).filter(isFatal);
    expect(findings).toMatchObject([
      { code: 'btree.node', device: 7, keys: { begin: 0n, end: 1n << 64n } },
      { code: 'thin.root', device: 7, message: 'Thin device 7 is missing root with 4 mappings' },
    ]);
  });
});

describe('a mapping tree', () => {
  const damages: [string, string, (pool: SickPool) => void][] = [
    ['a wrong checksum', 'btree.node', (pool) => pool.spoil(leaf(pool, 1))],
    ['a wrong block number', 'btree.node', (pool) => pool.setField(leaf(pool, 1), 'blocknr', 1)],
    ['flags of no kind', 'btree.node', (pool) => pool.setField(leaf(pool, 1), 'flags', 3)],
    ['maxEntries that is no multiple of 3', 'btree.node', (pool) => pool.setField(leaf(pool, 1), 'maxEntries', 251)],
    ['more entries than fit', 'btree.node', (pool) => pool.setField(leaf(pool, 1), 'nrEntries', 253)],
    ['values of another size', 'btree.node', (pool) => pool.setField(leaf(pool, 1), 'valueSize', 4)],
    ['keys out of order', 'btree.node', (pool) => pool.setKey(leaf(pool, 1), 5, 0)],
    ['keys below those of the parent', 'btree.keys', (pool) => pool.setKey(leaf(pool, 1), 0, 0)],
    ['a child outside the device', 'btree.child', (pool) => pool.setValue(pool.deviceRoot(0), 1, 99_999)],
    ['a child that is the superblock', 'btree.shared', (pool) => pool.setValue(pool.deviceRoot(0), 1, 0)],
    ['a child of another tree', 'btree.shared', (pool) => pool.setValue(pool.deviceRoot(0), 1, pool.detailsRoot)],
    ['a child twice', 'btree.keys', (pool) => pool.setValue(pool.deviceRoot(0), 1, leaf(pool, 0))],
    ['itself as its child', 'btree.cycle', (pool) => pool.setValue(pool.deviceRoot(0), 1, pool.deviceRoot(0))],
    ['a virtual block that no device has', 'thin.virtual-block', setHugeKey],
    ['data blocks beyond the last', 'thin.data-block', (pool) => pool.setValue(leaf(pool, 1), 0, 20_000n << 24n)],
  ];
  /** Of the last leaf, so that it is in order. */
  function setHugeKey(pool: SickPool): void {
    const last = leaf(pool, 2);
    pool.setKey(last, pool.keys(last).length - 1, 2 ** 60);
  }
  test.each(damages)('with %s', (_, code, damage) => {
    const pool = sick();
    damage(pool);
    const findings = check(pool).filter(isFatal);
    expect(findings[0]).toMatchObject({ code, device: 1 });
    expect(findings[0]!.path).toEqual([pool.deviceRoot(0), findings[0]!.block]);
    const text = /Thin device 1 has 1 errors and is missing \d+ mappings, while expected 600/;
    expect(findings[1]).toMatchObject({ code: 'thin.device', device: 1, message: expect.stringMatching(text) });
    // Device 2 shares all leaves of device 1 but the first.
    // Who refers to a wrong child makes its count wrong.
    const others = findings.slice(2).filter((finding) => finding.code !== 'space-map.count');
    expect(others.every(({ device }) => device === 2)).toBe(true);
  });

  test('with a lost leaf says which keys cannot be reached', () => {
    const pool = sick();
    const keys = pool.keys(pool.deviceRoot(0));
    pool.spoil(leaf(pool, 1));
    const [lost] = check(pool);
    expect(lost!.keys).toEqual({ begin: BigInt(keys[1]!), end: BigInt(keys[2]!) });
  });

  test('with a lost shared leaf names all devices that had it', () => {
    const pool = sick();
    pool.spoil(leaf(pool, 2));
    const findings = check(pool).filter(({ code }) => code === 'thin.device');
    expect((findings as DeviceFinding[]).map(({ device }) => device)).toEqual([1, 2]);
  });

  test('with an under-full leaf: fatal, or a warning when that is asked for', () => {
    const pool = sick({ devices: [{ id: 1, mapped: steps(0, 300) }] });
    const last = pool.children(pool.deviceRoot(0)).at(-1)!;
    const nr = pool.keys(last).length;
    pool.setField(last, 'nrEntries', 3);
    pool.edit(pool.detailsRoot, (view) => view.setUint32(32 + 126 * 8, 300 - nr + 3, true));
    expect(check(pool)[0]).toMatchObject({ severity: 'fatal', code: 'btree.underfull', block: last });
    const lenient = check(pool, { ignoreNonFatal: true });
    expect(lenient[0]).toMatchObject({ severity: 'warning', code: 'btree.underfull' });
    // The rest is compared as if nothing was the matter, so the blocks that are no longer mapped have leaked.
    expect(new Set(codes(lenient.slice(1)))).toEqual(new Set(['space-map.leak']));
  });

  test('that could not be read in full silences counts that are too high', () => {
    const pool = sick();
    pool.spoil(leaf(pool, 1));
    const findings = check(pool);
    expect(codes(findings)).toContain('thin.counts-incomplete');
    expect(findings.filter(({ severity }) => severity === 'leak')).toEqual([]);
    pool.setCount('data', 0, 0);
    expect(check(pool).filter(({ code }) => code === 'space-map.count')).toHaveLength(1);
  });
});

describe('the metadata snapshot', () => {
  const held = { ...SNAPSHOT_POOL, afterSnapshot: [0, 3] };

  test('that is not there', () => {
    expect(check(sick(), { metadataSnapshot: true })).toMatchObject([{ message: 'no current metadata snap' }]);
  });

  test('whose superblock is wrong', () => {
    const pool = sick(held);
    pool.spoil(pool.superblockField('heldRoot'), 200);
    expect(codes(check(pool).filter(isFatal))).toEqual(['thin.superblock']);
    expect(codes(check(pool, { metadataSnapshot: true }))).toEqual(['thin.superblock']);
  });

  test('at an impossible place', () => {
    const pool = sick();
    for (const block of [99_999, pool.mappingRoot]) {
      pool.setSuperblock((view) => view.setUint32(56, block, true));
      expect(codes(check(pool).filter(isFatal))[0]).toBe('thin.superblock');
    }
  });

  test('whose own leaf is wrong names the device as its own', () => {
    const pool = sick(held);
    const [now, then] = [pool.deviceRoot(0), heldDeviceRoot(pool)];
    const [first] = pool.children(then).filter((child) => !pool.children(now).includes(child));
    pool.spoil(first!);
    const message = expect.stringContaining('Thin device 1 of the metadata snapshot has 1 errors');
    expect(check(pool).filter(isFatal)).toMatchObject([{ block: first }, { code: 'thin.device', device: 1, message }]);
  });

  function heldDeviceRoot(pool: SickPool): number {
    const root = Number(pool.read(pool.superblockField('heldRoot')).getBigUint64(320, true));
    return pool.children(root)[0]!;
  }
});

describe('repair()', () => {
  function repaired(pool: SickPool, options?: { leaks: boolean }): ReturnType<ThinCheck['repair']> {
    const run = new ThinCheck(pool.device);
    for (const finding of run.run()) void finding;
    expect(run.needsRepair).toBe(true);
    return run.repair(options);
  }

  test('gives leaked blocks back, and changes nothing else', () => {
    const pool = sick();
    const before = pool.device.toBytes();
    for (const block of [19_000, 9000, 9003]) if (block < 16_320) pool.setCount('data', block, 1);
    pool.setCount('metadata', 900, 1);
    const leaks = check(pool);
    expect(leaks.filter(({ severity }) => severity === 'leak')).toHaveLength(3);
    expect(leaks.filter(({ severity }) => severity !== 'leak').map(({ code }) => code)).toEqual([
      'space-map.nr-allocated',
      'space-map.nr-allocated',
    ]);
    expect(repaired(pool)).toEqual({ nrDataLeaks: 2, nrMetadataLeaks: 1, clearedNeedsCheck: false });
    expect(Buffer.compare(pool.device.toBytes(), before)).toBe(0);
    expect(check(pool)).toEqual([]);
  });

  test('clears needs_check', () => {
    const pool = sick();
    const before = pool.device.toBytes();
    pool.setSuperblock((view) => view.setUint32(4, 1, true));
    expect(check(pool)).toEqual([]);
    expect(repaired(pool, { leaks: false })).toEqual({ nrDataLeaks: 0, nrMetadataLeaks: 0, clearedNeedsCheck: true });
    expect(Buffer.compare(pool.device.toBytes(), before)).toBe(0);
  });

  test('is refused after damage, and before the check has ended', () => {
    const pool = sick();
    pool.setCount('data', 9000, 1);
    pool.setCount('data', 9001, 2);
    const run = new ThinCheck(pool.device);
    expect(() => run.repair()).toThrow(StateError);
    expect([...run.run()].filter(isFatal)).toHaveLength(1);
    expect(() => run.repair()).toThrow('Cannot repair: the check found 1 fatal errors');
  });
});
