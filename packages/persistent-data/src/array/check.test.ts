import { describe, expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import type { Finding } from '../base/index.ts';
import { CheckedNodes } from '../btree/index.ts';
import { ARRAY_VALIDATOR, ArrayBlockView } from '../format/index.ts';
import { ShadowSet } from '../transaction-manager/index.ts';
import { PersistentArray } from './array.ts';
import { type ArrayCheckOptions, checkArray } from './check.ts';

function arrayOf(length: number) {
  const space = new ScratchSpace();
  const array = new PersistentArray(space.tm, patternType(8));
  return { space, array, root: array.create(length, (i) => i) };
}

function check(space: ScratchSpace, root: number, options: Partial<ArrayCheckOptions> = {}): Finding[] {
  return [...checkArray(space.tm, root, { valueSize: 8, ...options })];
}

test('a sound array has no findings; every block is told once for each reference', () => {
  const { space, array, root } = arrayOf(5000);
  space.tm.inc(root);
  const other = array.set(root, 3000, 1);
  const nodes = new CheckedNodes();
  const arrayBlocks = new ShadowSet();
  const references = new Map<number, number>([[0, 1]]);
  let elements = 0;
  for (const version of [root, other]) {
    const findings = check(space, version, {
      length: 5000,
      nodes,
      arrayBlocks,
      onBlock: (b) => references.set(b, (references.get(b) ?? 0) + 1),
      onElements: (view, first) => {
        expect(array.valueType.read(view.slab, view.valueAt(0))).toBe(first);
        elements += view.nrEntries;
      },
    });
    expect(findings).toEqual([]);
  }
  expect(references).toEqual(space.counts());
  expect(elements).toBe(5000 + 509);
  expect(check(space, root, { nodes, arrayBlocks, length: 5000 })).toEqual([]);
});

test('an array may be longer than its owner says, not shorter', () => {
  const { space, array, root } = arrayOf(600);
  expect(check(space, root, { length: 10 })).toEqual([]);
  expect(check(space, root, { length: 601, path: [0] })).toEqual([
    {
      severity: 'fatal',
      code: 'array.too-short',
      message: `array ${root} has 600 elements, 601 are wanted`,
      block: root,
      path: [0, root],
      keys: { begin: 600n, end: 601n },
    },
  ]);
  expect(check(space, array.empty(), { length: 1 }).map(({ code }) => code)).toEqual(['array.too-short']);
  expect(check(space, array.empty())).toEqual([]);
});

describe('it finds', () => {
  const change = (space: ScratchSpace, b: number, work: (view: ArrayBlockView) => void) => {
    const base = space.blockManager.writeLock(b, ARRAY_VALIDATOR);
    work(new ArrayBlockView(space.blockManager.slab, base));
    space.blockManager.unlock(base);
  };

  test('an unreadable block, with the elements that are lost, and goes on', () => {
    const { space, array, root } = arrayOf(2000);
    const blocks = [0, 1, 2, 3].map((i) => array.tree.lookup(root, i)!);
    space.commit();
    for (const b of [blocks[1]!, blocks[2]!]) space.device.write(b, [new Uint8Array(4096)]);
    space.reopen();
    const findings = check(space, root, { length: 2000 });
    expect(findings.map(({ code, block, path, keys }) => [code, block, path, keys])).toEqual([
      ['array.block', blocks[1], [root, blocks[1]], { begin: 509n, end: 1018n }],
      ['array.block', blocks[2], [root, blocks[2]], { begin: 1018n, end: 1527n }],
    ]);
  });

  test('a block that is no array block, or one of another size', () => {
    const { space, array, root } = arrayOf(2000);
    space.damage(root, (node) => node.setChild(1, root));
    expect(check(space, root).map(({ code }) => code)).toEqual(['array.block']);
    const other = new PersistentArray(space.tm, patternType(4));
    const odd = other.tree.lookup(
      other.create(10, (i) => i),
      0,
    )!;
    space.damage(root, (node) => node.setChild(1, odd));
    expect(check(space, root).map(({ code, message }) => [code, message])).toEqual([
      ['array.geometry', `array_block block ${odd} has room for 1018 values of 4 bytes, 509 of 8 bytes are wanted`],
    ]);
    expect(array.perBlock).toBe(509);
  });

  test('a block that is not full and not the last', () => {
    const { space, array, root } = arrayOf(2000);
    change(space, array.tree.lookup(root, 1)!, (view) => {
      view.nrEntries = 508;
    });
    expect(check(space, root).map(({ code }) => code)).toEqual(['array.not-full']);
  });

  test('a gap', () => {
    const { space, array, root } = arrayOf(2000);
    space.damage(root, (node) => node.setKey(3, 0, 4));
    expect(check(space, root, { length: 2000 }).map(({ code, message }) => [code, message])).toEqual([
      ['array.gap', `array ${root} has 4 blocks, the last of index 4: indexes without gaps are wanted`],
    ]);
    expect(array.get(root, 1600)).toBeUndefined();
  });

  test('what is wrong with the tree', () => {
    const { space, root } = arrayOf(2000);
    space.damage(root, (node) => node.setKey(2, 0, 1));
    expect(check(space, root, { length: 2000 }).map(({ code }) => code)).toEqual(['btree.keys']);
  });
});

test('what lies below a second leaf is told with the way to it; a failure of ours is no finding', () => {
  const { space, array, root } = arrayOf(300 * 509);
  const block = array.tree.lookup(root, 299)!;
  space.commit();
  space.device.write(block, [new Uint8Array(4096)]);
  space.reopen();
  const [found, ...others] = check(space, root, { length: 300 * 509 });
  expect(others).toEqual([]);
  expect(found).toMatchObject({ code: 'array.block', block, keys: { begin: 152_191n, end: 152_700n } });
  expect(found?.path).toHaveLength(3);
  expect([found?.path?.[0], found?.path?.[2]]).toEqual([root, block]);
  const ours = new Error('a mistake');
  const onBlock = (): never => {
    throw ours;
  };
  expect(() => check(space, root, { onBlock })).toThrow(ours);
});
