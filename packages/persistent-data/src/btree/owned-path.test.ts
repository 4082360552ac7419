import { describe, expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { Btree } from './btree.ts';
import './owned-path.ts';

const ORDERS: Record<string, (i: number) => [number, number]> = {
  rising: (i) => [1, i],
  falling: (i) => [1, 5000 - i],
  shuffled: (i) => [i % 3, (i * 7919) % 5000],
  'shuffled, over and over': (i) => [1, (i * 7919) % 700],
};

describe('an insert over an owned path places everything as one with the spine', () => {
  test.each(Object.keys(ORDERS))('%s', (name) => {
    let nrOwned = 0;
    const [fast, plain] = [true, false].map((isFast) => {
      const space = new ScratchSpace({ nrBlocks: 4096 });
      const owns = space.tm.owns.bind(space.tm);
      space.tm.owns = (b) => {
        if (isFast && owns(b)) nrOwned++;
        return isFast && owns(b);
      };
      const tree = new Btree(space.tm, { valueType: patternType(8), levels: 2 });
      let root = tree.empty();
      for (let i = 0; i < 5000; i++) {
        root = tree.insert(root, ORDERS[name]!(i), i % 200);
        if (i % 1700 === 1699) space.commit();
        if (i % 900 === 899) space.tm.inc(root);
      }
      space.commit();
      return Buffer.from(space.device.toBytes().buffer);
    });
    expect(fast!.equals(plain!)).toBe(true);
    expect(nrOwned).toBeGreaterThan(100);
  });
});

test('a cursor notices an insert over an owned path', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  let root = tree.empty();
  for (let i = 0; i < 1000; i++) root = tree.insert(root, (i * 7919) % 1000, 1);
  const { version } = space.tm;
  expect(tree.insert(root, 500, 2)).toBe(root);
  expect(space.tm.version).toBeGreaterThan(version);
});
