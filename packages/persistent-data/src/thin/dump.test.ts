import { describe, expect, test } from 'vitest';
import { makePool, SNAPSHOT_POOL, steps } from '../../../../test/structures/pools.ts';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import { CorruptionError, StateError } from '../base/index.ts';
import { dumpThin, dumpThinXml, type ThinDumpOptions } from './dump.ts';
import { ThinMetadata } from './metadata.ts';
import type { ThinVisitor } from './visitor.ts';

/** Notes what it is told, one short word each; runs of mappings as their number. */
class Notes implements ThinVisitor {
  readonly words: string[] = [];
  #nrMapped = 0;
  superblockBegin(): void {
    this.words.push('superblock');
  }
  superblockEnd(): void {
    this.words.push('end');
  }
  defBegin(name: string): void {
    this.words.push(`def ${name}`);
  }
  defEnd(): void {
    this.#count();
  }
  deviceBegin({ devId }: { devId: number }): void {
    this.words.push(`device ${devId}`);
  }
  deviceEnd(): void {
    this.#count();
  }
  map(_origin: number, _data: number, length: number): void {
    this.#nrMapped += length;
  }
  ref(name: string): void {
    this.#count();
    this.words.push(`ref ${name}`);
  }
  #count(): void {
    if (this.#nrMapped > 0) this.words.push(`${this.#nrMapped} mapped`);
    this.#nrMapped = 0;
  }
}

function notes(pool: SickPool, options?: ThinDumpOptions): string[] {
  const visitor = new Notes();
  dumpThin(pool.device, visitor, options);
  return visitor.words;
}

const sick = (shape = SNAPSHOT_POOL): SickPool => new SickPool(makePool(shape));

test('a pool with a snapshot: shared leaves are a def', () => {
  const pool = sick();
  const shared = pool.children(pool.deviceRoot(0))[1]!;
  expect(notes(pool)).toEqual([
    'superblock',
    ...[`def ${shared}`, '352 mapped'],
    ...['device 1', '248 mapped', `ref ${shared}`],
    ...['device 2', '248 mapped', `ref ${shared}`],
    ...['device 7', '4 mapped'],
    'end',
  ]);
});

test('the XML of a small pool', () => {
  const pool = sick({
    devices: [
      { id: 3, mapped: [1, 2, 3, 7] },
      { id: 4, origin: 3, mapped: [] },
    ],
  });
  const leaf = pool.deviceRoot(0);
  expect(
    dumpThinXml(pool.device),
  ).toBe(`<superblock uuid="" time="1" transaction="0" version="2" data_block_size="128" nr_data_blocks="20000">
  <def name="${leaf}">
    <range_mapping origin_begin="1" data_begin="0" length="3" time="0"/>
    <single_mapping origin_block="7" data_block="3" time="0"/>
  </def>
  <device dev_id="3" mapped_blocks="4" transaction="0" creation_time="0" snap_time="1">
    <ref name="${leaf}"/>
  </device>
  <device dev_id="4" mapped_blocks="4" transaction="0" creation_time="1" snap_time="1">
    <ref name="${leaf}"/>
  </device>
</superblock>`);
});

test('runs go on from leaf to leaf', () => {
  const pool = sick({ devices: [{ id: 0, mapped: steps(0, 2000) }] });
  expect(dumpThinXml(pool.device).match(/_mapping/g)).toHaveLength(1);
});

test('an open pool is dumped as of its last commit', () => {
  const device = makePool(SNAPSHOT_POOL);
  const before = dumpThinXml(device);
  const pool = ThinMetadata.open(device);
  pool.createThin(50);
  expect(dumpThinXml(pool)).toBe(before);
});

describe('options', () => {
  test('`devIds`: sharing among these alone counts', () => {
    expect(notes(sick(), { devIds: [1, 7, 99] })).toEqual([
      'superblock',
      'device 1',
      '600 mapped',
      'device 7',
      '4 mapped',
      'end',
    ]);
  });

  test('`skipMappings`: no tree is looked at', () => {
    const pool = sick();
    pool.spoil(pool.deviceRoot(0));
    expect(notes(pool, { skipMappings: true })).toEqual(['superblock', 'device 1', 'device 2', 'device 7', 'end']);
  });

  test('`metadataSnapshot`: the trees of then, no data blocks', () => {
    const pool = sick({ ...SNAPSHOT_POOL, afterSnapshot: [9000] });
    const then = dumpThinXml(sick().device)
      .replaceAll(/name="\d+"/g, '')
      .replace('"20000"', '"0"');
    const held = dumpThinXml(pool.device, { metadataSnapshot: true });
    expect(held.replaceAll(/name="\d+"/g, '')).toBe(then);
    expect(dumpThinXml(pool.device, { metadataSnapshot: pool.superblockField('heldRoot') })).toBe(held);
    expect(dumpThinXml(pool.device)).not.toBe(held);
    expect(() => dumpThinXml(sick().device, { metadataSnapshot: true })).toThrow(StateError);
    expect(() => dumpThinXml(pool.device, { metadataSnapshot: 3 })).toThrow(CorruptionError);
  });

  test('other values of the superblock', () => {
    const { device } = sick();
    const first = (options: ThinDumpOptions): string =>
      dumpThinXml(device, { skipMappings: true, ...options }).split('\n')[0]!;
    expect(first({ transactionId: 9n, dataBlockSizeSectors: 256 })).toContain(
      'transaction="9" version="2" data_block_size="256"',
    );
    expect(first({ nrDataBlocks: 30_000 })).toContain('nr_data_blocks="30000"');
    expect(first({ nrDataBlocks: 3 })).toContain('nr_data_blocks="20000"');
  });

  test('the flag needs_check is shown, progress is told', () => {
    const pool = sick();
    pool.setSuperblock((view) => view.setUint32(4, 1, true));
    const seen: [number, number][] = [];
    const visitor = new Notes();
    dumpThin(pool.device, visitor, { onProgress: (done, total) => seen.push([done, total]) });
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.every(([done, total]) => done <= total)).toBe(true);
    expect(dumpThinXml(pool.device)).toContain(' flags="1" ');
  });
});

describe('damage stops a dump, without a `superblockEnd`', () => {
  const leaf = (pool: SickPool, index: number): number => pool.children(pool.deviceRoot(0))[index]!;
  const damages: [string, string, (pool: SickPool) => void][] = [
    ['the superblock', 'csum', (pool) => pool.spoil(0, 200)],
    ['the list of devices', 'csum', (pool) => pool.spoil(pool.mappingRoot)],
    ['the details', 'csum', (pool) => pool.spoil(pool.detailsRoot)],
    ['details of another device', 'Inconsistency', (pool) => pool.setKey(pool.detailsRoot, 2, 8)],
    ['a root', 'csum', (pool) => pool.spoil(pool.deviceRoot(2))],
    ['a leaf', 'csum', (pool) => pool.spoil(leaf(pool, 1))],
    ['keys out of order', 'has key 0 after', (pool) => pool.setKey(leaf(pool, 1), 5, 0)],
    ['keys out of order from leaf to leaf', 'key 0', (pool) => pool.setKey(leaf(pool, 1), 0, 0)],
    ['a key beyond 2^53', '2^53', (pool) => pool.setKey(leaf(pool, 2), pool.keys(leaf(pool, 2)).length - 1, 2 ** 60)],
    ['values of another size', 'has values of 4 bytes', (pool) => pool.setField(leaf(pool, 1), 'valueSize', 4)],
    ['a child outside the device', 'outside the device', (pool) => pool.setValue(pool.deviceRoot(0), 1, 99_999)],
    ['a child twice', 'key', (pool) => pool.setValue(pool.deviceRoot(0), 1, leaf(pool, 0))],
    ['keys of a parent out of order', 'out of order', (pool) => pool.setKey(pool.deviceRoot(0), 1, 5000)],
    ['itself as a child', 'a leaf is wanted', (pool) => pool.setValue(pool.deviceRoot(0), 1, pool.deviceRoot(0))],
  ];
  test.each(damages)('%s', (_, text, damage) => {
    const pool = sick();
    damage(pool);
    const visitor = new Notes();
    let error: unknown;
    try {
      dumpThin(pool.device, visitor);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CorruptionError);
    expect((error as Error).message).toContain(text);
    expect(visitor.words).not.toContain('end');
  });
});
