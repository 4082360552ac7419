import { expect, test } from 'vitest';
import { CountBins } from './count-bins.ts';

test.each([1000, 2 ** 18 + 3, 5_000_000])('bins count what is put into them, among %i blocks', (nrBlocks) => {
  const counts = new Uint8Array(nrBlocks);
  const wanted = new Map<number, number>();
  const large: number[] = [];
  const bins = new CountBins(counts, (block) => large.push(block));
  const add = (block: number): void => void wanted.set(block, (wanted.get(block) ?? 0) + 1);
  let block = 1;
  const words = new Uint32Array(2000);
  const list = new Float64Array(700);
  for (let round = 0; round < 300; round++) {
    for (let i = 0; i < 1000; i++) {
      block = (block * 16807) % 2147483647;
      const b = block % nrBlocks;
      words[2 * i] = b << 24;
      words[2 * i + 1] = b >>> 8;
      if (i < 700) list[i] = nrBlocks - 1 - b;
      add(b);
      if (i < 700) add(nrBlocks - 1 - b);
    }
    expect(bins.addPacked(words, 0, 2000)).toBe(0);
    bins.addAll(list, 700);
  }
  bins.flush();
  bins.flush();
  for (const b of large) wanted.set(b, wanted.get(b)! - 1);
  expect([...wanted].every(([b, count]) => counts[b] === count)).toBe(true);
  expect([...wanted.values()].every((count) => count <= 254)).toBe(true);
  expect(large.length > 0).toBe(nrBlocks === 1000);
});

test('blocks beyond the end are told, and not counted', () => {
  const counts = new Uint8Array(300_000);
  const bins = new CountBins(counts, () => undefined);
  const high = [300_000 >>> 8, 2 ** 31 - 1, 2 ** 32 - 1, 2 ** 24, 2 ** 23, 0];
  const words = Uint32Array.from(high.flatMap((word, i) => [i === 0 ? (300_000 & 255) << 24 : 0, word]));
  expect(bins.addPacked(words, 0, words.length)).toBe(5);
  bins.flush();
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1);
});
