import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PutBuffer } from './put-buffer.ts';

type Entry = readonly [high: number, low: number];

function fill(buffer: PutBuffer, entries: readonly Entry[]): void {
  entries.forEach(([high, low], i) => {
    for (let byte = 0; byte < buffer.valueSize; byte++) buffer.values.bytes[buffer.end + byte] = (i + byte) & 0xff;
    buffer.push(high, low);
  });
}

function sortedEntries({ keys, order, count, values, valueSize }: PutBuffer): [bigint, number][] {
  return Array.from(order.subarray(0, count), (entry): [bigint, number] => [
    (BigInt(keys[2 * entry + 1]!) << 32n) | BigInt(keys[2 * entry]!),
    values.bytes[entry * valueSize]!,
  ]);
}

const half = fc.oneof(fc.nat(5), fc.nat(0xffff_ffff), fc.constantFrom(0, 2047, 2048, 0x8000_0000, 0xffff_ffff));

test('entries come out in order of their keys, the last one of each key', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.oneof(fc.constant(0), half), half), { maxLength: 700 }),
      fc.constantFrom(1, 4, 8, 13),
      (entries, valueSize) => {
        const buffer = new PutBuffer(valueSize);
        // Once more after use: nothing of the first time is left.
        for (const some of [entries, entries.slice(0, 20).reverse()]) {
          buffer.clear();
          fill(buffer, some);
          const dropped: [number, number][] = [];
          buffer.putInOrder((at, by) => void dropped.push([at / valueSize, by / valueSize]));
          const wanted = new Map<bigint, number>();
          const before = new Map<bigint, number>();
          const drops: [number, number][] = [];
          some.forEach(([high, low], i) => {
            const key = (BigInt(high) << 32n) | BigInt(low);
            if (before.has(key)) drops.push([before.get(key)!, i]);
            before.set(key, i);
            wanted.set(key, i & 0xff);
          });
          expect(sortedEntries(buffer)).toEqual([...wanted].sort(([a], [b]) => (a < b ? -1 : 1)));
          const byBoth = (a: [number, number], b: [number, number]) => a[0] - b[0];
          expect(dropped.sort(byBoth)).toEqual(drops.sort(byBoth));
        }
      },
    ),
  );
});

test('it is full when it has what it is meant for, or many in order', () => {
  const buffer = new PutBuffer(8);
  buffer.most = 20_000;
  let inOrder = 0;
  while (!buffer.isFull) buffer.push(0, inOrder++);
  expect(inOrder).toBe(8192);
  buffer.push(0, 5);
  expect([buffer.isPlain, buffer.isFull]).toEqual([false, false]);
  while (!buffer.isFull) buffer.push(1, buffer.count);
  expect(buffer.count).toBe(20_000);
  buffer.putInOrder();
  expect(buffer.count).toBe(19_999);
});
