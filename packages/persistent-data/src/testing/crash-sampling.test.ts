import { expect, test } from 'vitest';
import { type CrashItem, WHOLE } from './crash-item.ts';
import { crashMasks } from './crash-sampling.ts';

const bytes = new Uint8Array(4096);
const block = (nr: number): CrashItem => ({ kind: 'block', block: nr, bytes });
const blocks = (count: number) => Array.from({ length: count }, (_, nr) => block(nr));
const texts = (...args: Parameters<typeof crashMasks>) => [...crashMasks(...args)].map((masks) => masks.join());

test('`crashMasks()` of nothing open is the one state', () => {
  expect(texts([])).toEqual(['']);
});

test('`crashMasks()` without tears is every subset, where these are few', () => {
  const found = texts(blocks(3), { tear: false });
  expect(found).toHaveLength(8);
  expect(new Set(found).size).toBe(8);
  expect(found).toContain(`${WHOLE},0,${WHOLE}`);
});

test('`crashMasks()` tears each block in 14 ways under every subset of the others, where these are few', () => {
  // 4 subsets; 2 blocks × 14 tears × 2 subsets of the other.
  const found = texts(blocks(2));
  expect(new Set(found).size).toBe(4 + 2 * 14 * 2);
  expect(found).toContain('7,0');
  expect(found).toContain(`${WHOLE},240`);
});

test('`crashMasks()` never tears a length', () => {
  const items: CrashItem[] = [{ kind: 'length', nrBlocks: 5 }, ...blocks(30)];
  for (const masks of crashMasks(items, { limit: 2000 })) expect([0, WHOLE]).toContain(masks[0]);
});

test('`crashMasks()` of many items has the telling states, then a sample, and keeps to the limit', () => {
  const found = texts(blocks(40), { limit: 5000 });
  expect(found).toHaveLength(5000);
  expect(new Set(found).size).toBe(5000);
  const masks = (make: (nr: number) => number) => Array.from({ length: 40 }, (_, nr) => make(nr)).join();
  expect(found).toContain(masks(() => WHOLE));
  expect(found).toContain(masks(() => 0));
  for (const item of [0, 17, 39]) {
    expect(found).toContain(masks((nr) => (nr === item ? 0 : WHOLE)));
    expect(found).toContain(masks((nr) => (nr === item ? WHOLE : 0)));
    expect(found).toContain(masks((nr) => (nr <= item ? WHOLE : 0)));
    expect(found).toContain(masks((nr) => (nr < item ? WHOLE : nr === item ? 0b1111 : 0)));
  }
});

test('`crashMasks()` of very many items still has a sample of all sorts', () => {
  const found = [...crashMasks(blocks(500), { limit: 200 })];
  expect(found).toHaveLength(200);
  const lost = found.map((masks) => masks.filter((mask) => mask === 0).length);
  expect(lost.filter((count) => count > 0 && count < 5).length).toBeGreaterThan(10);
  expect(lost.filter((count) => count > 490).length).toBeGreaterThan(10);
  expect(lost.filter((count) => count > 100 && count < 400).length).toBeGreaterThan(10);
  expect(found.filter((masks) => masks.some((mask) => mask !== 0 && mask !== WHOLE)).length).toBeGreaterThan(50);
});

test('`crashMasks()` draws the same sample for the same seed', () => {
  expect(texts(blocks(60), { limit: 900, seed: 5 })).toEqual(texts(blocks(60), { limit: 900, seed: 5 }));
  expect(texts(blocks(60), { limit: 900, seed: 5 })).not.toEqual(texts(blocks(60), { limit: 900, seed: 6 }));
});

test('`crashMasks()` does not try a state twice because an overwritten block arrived or not', () => {
  // Old, first or second version; torn: a mixture of two of the three.
  expect(texts([block(7), block(7)], { tear: false })).toHaveLength(3);
  expect(texts([block(7), block(7)])).toHaveLength(3 + 3 * 14);
});

test('`crashMasks()` ends where the limit is above the number of states that a sample can find', () => {
  expect(texts(blocks(1), { limit: 20 })).toHaveLength(16);
  expect(texts([...blocks(4)], { limit: 100 }).length).toBeLessThanOrEqual(100);
});
