import { describe, expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { Btree } from './btree.ts';
import './finger.ts';

/** Keys of a run of inserts, for trees of two levels. */
const ORDERS: Record<string, (i: number) => [number, number]> = {
  rising: (i) => [1, i],
  falling: (i) => [1, 5000 - i],
  'in runs': (i) => [i % 300 < 150 ? 1 : 2, (i % 150) * 20 + Math.floor(i / 150)],
  shuffled: (i) => [i % 3, (i * 7919) % 5000],
  'over and over': (i) => [1, i % 700],
};

describe('an insert that goes by the finger places everything as one that walks down', () => {
  test.each(Object.keys(ORDERS))('%s', (name) => {
    const [kept, forgotten] = [true, false].map((keepsFinger) => {
      const space = new ScratchSpace({ nrBlocks: 4096 });
      const make = () => new Btree(space.tm, { valueType: patternType(8), levels: 2 });
      let tree = make();
      let root = tree.empty();
      for (let i = 0; i < 5000; i++) {
        // A new tree has no finger yet.
        if (!keepsFinger) tree = make();
        root = tree.insert(root, ORDERS[name]!(i), i % 200);
        if (i % 1700 === 1699) space.commit();
        if (i % 900 === 899) space.tm.inc(root);
      }
      space.commit();
      return Buffer.from(space.device.toBytes().buffer);
    });
    expect(kept!.equals(forgotten!)).toBe(true);
  });
});
