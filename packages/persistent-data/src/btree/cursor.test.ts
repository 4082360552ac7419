import { describe, expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { CorruptionError, StateError, WouldBlockError } from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { TransactionManager } from '../transaction-manager/index.ts';
import { Btree } from './btree.ts';
import { Cursor } from './cursor.ts';

/** A tree of the keys 10, 20, …, 10 * count, each with itself / 10 as value. */
function tens(count: number, size = 8) {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(size) });
  let root = tree.empty();
  for (let i = 1; i <= count; i++) root = tree.insert(root, 10 * i, i % 200);
  return { space, tree, root };
}

describe.each([
  [3, 8],
  [1000, 8],
  [1000, 1],
  [1000, 100],
  [300, 1346],
])('a cursor over %i entries with values of %i bytes', (count, size) => {
  const { space, tree, root } = tens(count, size);
  const cursor = new Cursor(tree, root);

  test('goes forward over all of them', () => {
    const seen: unknown[] = [];
    for (let more = cursor.seekFirst(); more; more = cursor.next()) seen.push([cursor.key, cursor.value]);
    expect(seen).toEqual(Array.from({ length: count }, (_, i) => [10 * (i + 1), (i + 1) % 200]));
    expect(cursor.valid).toBe(false);
    expect(cursor.next()).toBe(false);
    expect(cursor.previous()).toBe(false);
  });

  test('goes backward over all of them', () => {
    const seen: unknown[] = [];
    for (let more = cursor.seekLast(); more; more = cursor.previous()) seen.push([cursor.key, cursor.value]);
    expect(seen).toEqual(Array.from({ length: count }, (_, i) => [10 * (count - i), (count - i) % 200]));
  });

  test('finds the neighbours of every key, and turns round there', () => {
    const here = (found: boolean) => (found ? Number(cursor.key) : undefined);
    const seen: unknown[] = [];
    const wanted: unknown[] = [];
    for (let i = 0; i <= count; i++) {
      const [before, after] = [i > 0 ? 10 * i : undefined, i < count ? 10 * i + 10 : undefined];
      seen.push(here(cursor.seek(10 * i + 1)), here(cursor.previous()));
      wanted.push(after, after && before);
      seen.push(here(cursor.seekAtMost(10 * i + 9)), here(cursor.next()));
      wanted.push(before, before && after);
      if (i > 0) seen.push(here(cursor.seek(10 * i)), here(cursor.seekAtMost(10 * i)));
      if (i > 0) wanted.push(10 * i, 10 * i);
    }
    expect(seen).toEqual(wanted);
    expect(space.blockManager.nrLocked).toBe(0);
  });
});

test('a cursor over an empty tree finds nothing', () => {
  const { tree, root } = tens(0);
  const cursor = new Cursor(tree, root);
  expect(cursor.seekFirst() || cursor.seekLast() || cursor.seek(0) || cursor.seekAtMost(9)).toBe(false);
  expect(() => cursor.key).toThrow(StateError);
  expect(() => cursor.value).toThrow('Cannot read an entry: the cursor is at none, seek first');
});

test('a cursor takes keys of all 64 bits', () => {
  const { tree } = tens(0);
  const keys = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
  let root = tree.empty();
  for (const [i, key] of keys.entries()) root = tree.insert(root, key, i);
  const cursor = new Cursor(tree, root);
  for (const key of keys) {
    expect(cursor.seek(key) && cursor.key).toBe(key);
    expect(cursor.seekAtMost(key) && cursor.key).toBe(key);
  }
  expect(cursor.next()).toBe(false);
});

test('a cursor notices a change, and goes on in the new tree', () => {
  const { tree, root } = tens(500);
  const cursor = new Cursor(tree, root);
  cursor.seek(2000);
  const changed = tree.remove(tree.insert(root, 2005, 7), 2010);
  for (const use of [() => cursor.next(), () => cursor.previous(), () => cursor.value, () => cursor.seekFirst()]) {
    expect(use).toThrow(
      new StateError('Cannot use the cursor: the tree changed under it, reseek with its root of now'),
    );
  }
  expect(cursor.reseek(changed)).toBe(true);
  expect(cursor.key).toBe(2000);
  expect(cursor.next() && cursor.key).toBe(2005);
  expect(cursor.next() && cursor.key).toBe(2020);
  expect(new Cursor(tree, changed).reseek(changed)).toBe(false);
});

test('a frozen cursor is not disturbed by changes elsewhere', () => {
  const { space, tree, root } = tens(500);
  space.tm.inc(root);
  const cursor = new Cursor(tree, root, { frozen: true });
  let head = root;
  let count = 0;
  for (let more = cursor.seekFirst(); more; more = cursor.next()) {
    head = tree.remove(head, cursor.key);
    count++;
  }
  expect(count).toBe(500);
  expect(tree.firstKey(head)).toBeUndefined();
});

test('a cursor survives the eviction of its blocks', () => {
  const { space, tree: written, root } = tens(20000);
  space.commit();
  const blockManager = new BlockManager(space.device, { cacheBlocks: 32 });
  const tree = new Btree(new TransactionManager(blockManager, space.spaceMap), { valueType: written.valueType });
  const far = new Cursor(tree, root);
  const cursor = new Cursor(tree, root);
  far.seekLast();
  let count = 0;
  let sum = 0;
  for (let more = cursor.seekFirst(); more; more = cursor.next()) {
    count++;
    if (count % 50 === 0 && !far.previous()) far.seekLast();
    sum += cursor.value;
  }
  expect(count).toBe(20000);
  expect(sum).toBe(100 * 199 * 100);
});

test('a scan reads every leaf once and in runs, a seek reads the path alone', () => {
  const { space, tree, root } = tens(20000);
  space.commit();
  space.reopen();
  const again = new Btree(space.tm, { valueType: tree.valueType });
  const cursor = new Cursor(again, root);
  cursor.seek(100_000);
  for (let i = 0; i < 50; i++) cursor.next();
  expect(space.blockManager.statistics.blocksRead).toBeLessThanOrEqual(3);
  for (let more = cursor.seekFirst(); more; more = cursor.next());
  const { blocksRead, reads } = space.blockManager.statistics;
  expect(blocksRead).toBe(space.counts().size - 1);
  expect(reads).toBeLessThan(blocksRead / 2);
});

test('a cursor over a non-blocking clone says what it lacks, and works once that is there', () => {
  const { space, tree, root } = tens(2000);
  space.commit();
  space.reopen();
  const again = new Btree(space.tm, { valueType: tree.valueType });
  const cursor = new Cursor(again, root, { reader: space.tm.nonBlockingClone() });
  let tries = 0;
  let count = 0;
  let more = true;
  const step = () => (count === 0 ? cursor.seekFirst() : cursor.valid ? cursor.next() : cursor.seek(10 * count + 1));
  while (more) {
    try {
      more = step();
      if (more) count++;
    } catch (error) {
      expect(error).toBeInstanceOf(WouldBlockError);
      tries++;
      space.tm.issuePrefetches();
    }
  }
  expect(count).toBe(2000);
  expect(tries).toBeGreaterThan(1);
});

describe('on a damaged tree', () => {
  test('a cycle ends in a CorruptionError', () => {
    const { space, tree, root } = tens(1000);
    space.damage(root, (node) => node.setChild(1, root));
    const cursor = new Cursor(tree, root);
    expect(() => cursor.seekLast() || cursor.seek(9000)).not.toThrow();
    expect(() => {
      for (let more = cursor.seekFirst(); more; more = cursor.next());
    }).toThrow(CorruptionError);
    space.damage(root, (node) => node.setChild(node.nrEntries - 1, root));
    expect(() => cursor.seekLast()).toThrow(`Cannot search tree ${root}: it is higher than 64 nodes, or has a cycle`);
  });

  test('a leaf that comes twice ends in a CorruptionError, both ways', () => {
    const { space, tree, root } = tens(1000);
    space.damage(root, (node) => node.setChild(1, node.childAt(0)));
    const cursor = new Cursor(tree, root);
    const where = `Cannot go on at btree_node block ${space.node(root).childAt(0)}: its keys are not beyond those of the leaf before`;
    expect(() => {
      for (let more = cursor.seekFirst(); more; more = cursor.next());
    }).toThrow(where);
    expect(() => {
      for (let more = cursor.seekLast(); more; more = cursor.previous());
    }).toThrow(where);
    expect(cursor.valid).toBe(false);
  });

  test('an empty leaf and one of another value size are refused', () => {
    const { space, tree, root } = tens(1000);
    const leaf = space.node(root).childAt(1);
    const key = space.node(root).keyAt(1);
    space.damage(leaf, (node) => {
      node.nrEntries = 0;
    });
    const cursor = new Cursor(tree, root);
    expect(() => cursor.seek(key)).toThrow('it has no entries');
    space.damage(leaf, (node) => node.setHeader(2, 100, 4));
    expect(() => cursor.seek(key)).toThrow('it has room for 336 values of 4 bytes, 252 values of 8 bytes are wanted');
    expect(space.blockManager.nrLocked).toBe(0);
  });
});
