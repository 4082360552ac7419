import { describe, expect, test } from 'vitest';
import { ThinFixture } from '../../../../test/structures/thin-fixture.ts';

import { checkRange } from './mappings.ts';

function withDevice(options: ConstructorParameters<typeof ThinFixture>[0] = {}) {
  const fixture = new ThinFixture(options);
  fixture.pool.createThin(1);
  return { fixture, pool: fixture.pool, device: fixture.pool.openThin(1) };
}

test('a range is of whole numbers from 0 on, in order', () => {
  checkRange(0, 0);
  checkRange(5, Number.MAX_SAFE_INTEGER);
  for (const [begin, end] of [
    [-1, 5],
    [5, 4],
    [0.5, 3],
    [0, 2 ** 53],
    [Number.NaN, 1],
  ] as const) {
    expect(() => checkRange(begin, end)).toThrow(
      new RangeError(`Cannot use the range ${begin} to ${end}: integers from 0 on, in order, are wanted`),
    );
  }
});

describe('inserting', () => {
  test('maps a block, and the reference passes to the device', () => {
    const { fixture, pool, device } = withDevice();
    const block = pool.allocateDataBlock();
    device.insert(7, block);
    expect([device.find(7), device.find(6), device.mappedBlocks]).toEqual([
      { dataBlock: block, shared: false },
      undefined,
      1,
    ]);
    expect(pool.dataBlockCount(block)).toBe(1);
    fixture.check();
  });

  test('over another block gives that one up, over the same one counts nothing', () => {
    const { fixture, pool, device } = withDevice();
    const [a, b] = [pool.allocateDataBlock(), pool.allocateDataBlock()];
    device.insert(7, a);
    device.insert(7, b);
    expect([pool.dataBlockCount(a), pool.dataBlockCount(b), device.mappedBlocks]).toEqual([0, 1, 1]);
    device.insert(7, b);
    expect(pool.dataBlockCount(b)).toBe(1);
    fixture.check();
  });

  test('of a range maps neighbours to neighbours, and may be repeated', () => {
    const { fixture, pool, device } = withDevice();
    pool.incDataRange(100, 110);
    device.insertRange(50, 100, 10);
    device.insertRange(50, 100, 10);
    expect(device.findMappedRange(0, 1000)).toEqual({ begin: 50, end: 60, dataBegin: 100, maybeShared: false });
    expect([device.mappedBlocks, pool.dataBlockCount(105)]).toEqual([10, 1]);
    device.insertRange(0, 0, 0);
    fixture.check();
  });

  test('takes any virtual block below 2^53, and data blocks of the pool', () => {
    const { fixture, pool, device } = withDevice();
    device.insert(2 ** 53 - 2, pool.allocateDataBlock());
    expect([device.find(2 ** 53 - 2)?.dataBlock, device.highestMapped]).toEqual([0, 2 ** 53 - 2]);
    for (const virtualBlock of [-1, 0.5, 2 ** 53]) expect(() => device.insert(virtualBlock, 0)).toThrow(RangeError);
    for (const dataBlock of [-1, 0.5, 1000, 2 ** 40, Number.NaN]) {
      expect(() => device.insert(0, dataBlock)).toThrow(
        new RangeError(`Cannot map to data block ${dataBlock}: the pool has 1000`),
      );
      expect(() => device.insertRange(0, dataBlock, 2)).toThrow(RangeError);
    }
    expect(() => device.insertRange(0, 998, 3)).toThrow('Cannot map to data block 1000: the pool has 1000');
    for (const count of [-1, 1.5, Number.NaN]) expect(() => device.insertRange(0, 0, count)).toThrow(RangeError);
    // Refused before anything was changed.
    expect(device.mappedBlocks).toBe(1);
    pool.resizeData(1001);
    pool.incDataRange(1000, 1001);
    device.insert(1, 1000);
    fixture.check();
  });
});

describe('finding a range', () => {
  test('answers the first run in which both numbers advance together', () => {
    const { pool, device } = withDevice();
    pool.incDataRange(0, 100);
    device.insertRange(10, 20, 5);
    device.insertRange(15, 40, 5);
    device.insertRange(30, 0, 1);
    const ranges: unknown[] = [];
    for (let begin = 0; ; ) {
      const range = device.findMappedRange(begin, 1000);
      if (range === undefined) break;
      ranges.push([range.begin, range.end, range.dataBegin]);
      begin = range.end;
    }
    expect(ranges).toEqual([
      [10, 15, 20],
      [15, 20, 40],
      [30, 31, 0],
    ]);
  });

  test('stays within the range that was asked for', () => {
    const { pool, device } = withDevice();
    pool.incDataRange(0, 100);
    device.insertRange(10, 20, 10);
    expect(device.findMappedRange(0, 10)).toBeUndefined();
    expect(device.findMappedRange(12, 12)).toBeUndefined();
    expect(device.findMappedRange(12, 15)).toEqual({ begin: 12, end: 15, dataBegin: 22, maybeShared: false });
    expect(device.findMappedRange(20, 100)).toBeUndefined();
    expect(() => device.findMappedRange(5, 4)).toThrow(RangeError);
  });

  test('separates what is shared from what is not', () => {
    const { pool, device } = withDevice();
    pool.incDataRange(0, 20);
    device.insertRange(0, 0, 5);
    pool.createSnapshot({ snapshot: 2, origin: 1 });
    device.insertRange(5, 5, 5);
    expect(device.findMappedRange(0, 100)).toEqual({ begin: 0, end: 5, dataBegin: 0, maybeShared: true });
    expect(device.findMappedRange(5, 100)).toEqual({ begin: 5, end: 10, dataBegin: 5, maybeShared: false });
  });
});

describe('removing', () => {
  test('a range unmaps what is mapped in it, over gaps, and gives the blocks up', () => {
    const { fixture, pool, device } = withDevice({ nrMetadataBlocks: 512 });
    const mapped = Array.from({ length: 900 }, (_, i) => i).filter((i) => i % 7 !== 0);
    for (const b of mapped) device.insert(b, pool.allocateDataBlock());
    for (const [begin, end] of [
      [100, 100],
      [899, 2000],
      [0, 1],
      [50, 60],
      [200, 700],
      [0, 2 ** 53 - 1],
    ] as const) {
      const before = mapped.filter((b) => device.find(b) !== undefined);
      const wanted = before.filter((b) => b >= begin && b < end);
      expect(device.removeRange(begin, end)).toBe(wanted.length);
      expect(mapped.filter((b) => device.find(b) !== undefined)).toEqual(before.filter((b) => !wanted.includes(b)));
      expect(device.mappedBlocks).toBe(before.length - wanted.length);
      fixture.check();
      pool.commit();
      fixture.check();
    }
    expect([pool.nrFreeData, device.highestMapped]).toEqual([1000, undefined]);
  });

  test('leaves the snapshot alone', () => {
    const { fixture, pool, device } = withDevice();
    fixture.provision(1, 0, 300);
    pool.createSnapshot({ snapshot: 2, origin: 1 });
    const before = fixture.mapped(2);
    expect(device.removeRange(10, 290)).toBe(280);
    expect([fixture.mapped(2), pool.dataBlockCount(100)]).toEqual([before, 1]);
    fixture.check();
    pool.deleteThin(2);
    fixture.check();
    expect([pool.dataBlockCount(100), pool.dataBlockCount(5)]).toEqual([0, 1]);
  });

  test('an impossible range is refused', () => {
    const { device } = withDevice();
    expect(() => device.removeRange(2, 1)).toThrow(RangeError);
    expect(() => device.removeRange(0, 2 ** 53)).toThrow(RangeError);
  });
});
