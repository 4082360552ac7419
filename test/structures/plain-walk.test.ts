import { expect, test } from 'vitest';
import { NODE_VALIDATOR, NodeView } from '../../packages/persistent-data/src/format/index.ts';
import { PlainWalk, PlainWalkError } from './plain-walk.ts';
import { SpaceMapFixture } from './space-map-fixture.ts';

test('the walk finds nothing wrong with fresh maps', () => {
  const fixture = new SpaceMapFixture({ nrDataBlocks: 20000 });
  fixture.check(true);
  fixture.allocate();
  fixture.dataMap.newBlock();
  fixture.check(false);
  fixture.commit();
  fixture.check(true);
});

test('the walk sees a lost reference, a surplus one, and a lock', () => {
  const fixture = new SpaceMapFixture();
  const b = fixture.allocate();
  fixture.addOwned(b, 1);
  expect(() => fixture.check(false)).toThrow(`block ${b} is counted 1, 2 references lead to it`);
  fixture.addOwned(b, -2);
  expect(() => fixture.check(false)).toThrow('2 blocks have no owner, there are 1 bitmaps');
  fixture.addOwned(b, 1);
  fixture.blockManager.readLock(fixture.spaceMap.root.refCountRoot, NODE_VALIDATOR);
  expect(() => fixture.check(false)).toThrow('1 locks are held');
});

test('the walk sees a tree out of shape', () => {
  const damage = (change: (node: NodeView) => void): string => {
    const fixture = new SpaceMapFixture();
    for (let i = 0; i < 700; i++) fixture.spaceMap.setCount(100 + i, 5);
    const { refCountRoot } = fixture.spaceMap.root;
    const base = fixture.blockManager.writeLock(refCountRoot, NODE_VALIDATOR);
    change(new NodeView(fixture.blockManager.slab, base));
    fixture.blockManager.unlock(base);
    try {
      new PlainWalk(fixture.blockManager, fixture.device).tree(refCountRoot, 4);
      return 'sound';
    } catch (error) {
      expect(error).toBeInstanceOf(PlainWalkError);
      return (error as Error).message.replace(/node \d+/, 'node N');
    }
  };
  expect(damage(() => {})).toBe('sound');
  expect(damage((node) => node.setKey(1, 0, 5))).toBe('node N: key 5 is out of place');
  expect(damage((node) => node.setKey(1, 0, 5000))).toMatch(/^node N: key \d+ is out of place$/);
  expect(damage((node) => node.setHeader(1, 2, 12))).toBe('node N has another geometry');
});
