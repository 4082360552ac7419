import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Slab } from '../base/index.ts';
import { CoreSpaceMap } from '../space-map/index.ts';
import { blockTimeType, dataBlockAt, MAX_DATA_BLOCK, MAX_TIME, timeAt, writeBlockTime } from './block-time.ts';

test('the worked example of the format: block 20 at time 1 is 0x14000001', () => {
  const slab = Slab.ofSize(16);
  writeBlockTime(slab, 8, 20, 1);
  expect(Array.from(slab.bytes)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0x14, 0, 0, 0, 0]);
  expect([dataBlockAt(slab, 8), timeAt(slab, 8)]).toEqual([20, 1]);
});

test('any block of 40 bits and time of 24 bits comes back', () => {
  const slab = Slab.ofSize(8);
  const edges = fc.constantFrom(0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, MAX_DATA_BLOCK);
  const block = fc.oneof(edges, fc.integer({ min: 0, max: MAX_DATA_BLOCK }));
  fc.assert(
    fc.property(block, fc.oneof(fc.constantFrom(0, MAX_TIME), fc.nat(MAX_TIME)), (dataBlock, time) => {
      writeBlockTime(slab, 0, dataBlock, time);
      expect([dataBlockAt(slab, 0), timeAt(slab, 0)]).toEqual([dataBlock, time]);
      expect(slab.view.getBigUint64(0, true)).toBe((BigInt(dataBlock) << 24n) | BigInt(time));
    }),
  );
});

test('mappings refer to their data blocks, runs of neighbours at once', () => {
  const calls: string[] = [];
  class Watched extends CoreSpaceMap {
    override incRange(begin: number, end: number): void {
      calls.push(`inc ${begin}..${end}`);
      super.incRange(begin, end);
    }

    override decRange(begin: number, end: number): void {
      calls.push(`dec ${begin}..${end}`);
      super.decRange(begin, end);
    }
  }
  const type = blockTimeType(new Watched(100, 'data'));
  const slab = Slab.ofSize(80);
  for (const [i, dataBlock] of [10, 11, 12, 5, 6, 12].entries()) type.write(slab, 8 + 8 * i, { dataBlock, time: i });
  type.inc?.(slab, 8, 6);
  type.dec?.(slab, 16, 2);
  expect(calls).toEqual(['inc 10..13', 'inc 5..7', 'inc 12..13', 'dec 11..13']);
  expect(type.read(slab, 16)).toEqual({ dataBlock: 11, time: 1 });
});

test('two mappings to one block are the same reference, whatever their times', () => {
  const { write, equal } = blockTimeType(new CoreSpaceMap(10));
  const slab = Slab.ofSize(24);
  write(slab, 0, { dataBlock: 7, time: 1 });
  write(slab, 8, { dataBlock: 7, time: 2 });
  write(slab, 16, { dataBlock: 8, time: 1 });
  expect([equal?.(slab, 0, slab, 8), equal?.(slab, 0, slab, 16)]).toEqual([true, false]);
});
