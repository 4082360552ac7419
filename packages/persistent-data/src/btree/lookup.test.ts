import { describe, expect, test } from 'vitest';
import { expectShape, patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { CorruptionError, StateError } from '../base/index.ts';
import { NODE_HEADER, NODE_VALIDATOR } from '../format/index.ts';
import { Btree } from './btree.ts';
import { removeRange } from './remove-range.ts';
import './lookup.ts';
import { PLAIN_U64 } from './value-type.ts';

test('neighbours of every key, present or not, in trees whose parents have lower keys than their children', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  let root = tree.empty();
  for (let i = 1; i <= 2000; i++) root = tree.insert(root, 10 * i, i % 200);
  // The first keys of leaves go, and the parents keep them.
  for (let i = 1; i <= 2000; i += 2) root = tree.remove(root, 10 * i);
  root = removeRange(tree, root, { begin: 3000, end: 9000 }).root;
  const keys = expectShape(space, root);
  for (let key = 0; key <= 20_010; key += 5) {
    const next = keys.find((other) => other >= key);
    const previous = keys.findLast((other) => other <= key);
    if (tree.lookupNext(root, key)?.key !== next) throw new Error(`next of ${key}`);
    if (tree.lookupPrevious(root, key)?.key !== previous) throw new Error(`previous of ${key}`);
    if (tree.has(root, key) !== (next === key)) throw new Error(`has ${key}`);
  }
  expect([tree.firstKey(root), tree.lastKey(root)]).toEqual([keys[0], keys.at(-1)]);
});

describe('R21: no index from a node of the disk leads out of the node', () => {
  // The kernel used the counts of a damaged node without asking whether they are possible.
  const word = (name: Parameters<typeof NODE_HEADER.word>[0]) => NODE_HEADER.word(name);
  const cases: [name: string, words: [number, number][]][] = [
    ['more entries than room', [[word('nrEntries'), 253]]],
    ['entries without end', [[word('nrEntries'), 0xffff_ffff]]],
    ['room beyond the block', [[word('maxEntries'), 255]]],
    ['room without end', [[word('maxEntries'), 0xffff_ffff]]],
    [
      'room and entries without end',
      [
        [word('maxEntries'), 0xffff_ffff],
        [word('nrEntries'), 0xffff_fff0],
      ],
    ],
    ['values larger than the block', [[word('valueSize'), 4096]]],
    [
      'values whose size and number multiply to little',
      [
        [word('valueSize'), 0xffff_fff8],
        [word('maxEntries'), 0x8000_0000],
      ],
    ],
    ['no kind', [[word('flags'), 0]]],
    ['both kinds', [[word('flags'), 3]]],
    [
      'an internal node without children',
      [
        [word('flags'), 1],
        [word('nrEntries'), 0],
      ],
    ],
    [
      'an internal node of other values',
      [
        [word('flags'), 1],
        [word('valueSize'), 4],
        [word('maxEntries'), 336],
      ],
    ],
  ];

  test.each(cases)('%s', (_name, words) => {
    for (const damaged of ['root', 'leaf'] as const) {
      const space = new ScratchSpace({ nrBlocks: 64 });
      const tree = new Btree(space.tm, { valueType: patternType(8) });
      let root = tree.empty();
      for (let i = 0; i < 600; i++) root = tree.insert(root, i, 1);
      const block = damaged === 'root' ? root : space.node(root).childAt(1);
      const key = space.node(root).keyAt(1);
      // Behind the validator's back, with the right checksum, as a program that is wrong would leave it.
      const { slab } = space.blockManager;
      const base = space.blockManager.writeLock(block, NODE_VALIDATOR);
      for (const [at, value] of words) slab.words[base + at] = value;
      space.blockManager.unlock(base);
      space.commit();
      space.reopen();
      const again = new Btree(space.tm, { valueType: patternType(8) });
      const uses: (() => unknown)[] = [
        () => again.lookup(root, key),
        () => again.lookupNext(root, key),
        () => again.lookupPrevious(root, key),
        () => again.remove(root, key),
        () => again.insert(root, key, 2),
      ];
      for (const use of uses) expect(use).toThrow(CorruptionError);
      space.reopen();
      expect(() => new Btree(space.tm, { valueType: patternType(8) }).delete(root)).toThrow(CorruptionError);
    }
  });

  test('any words in a header: an error or an answer, never more', () => {
    const space = new ScratchSpace({ nrBlocks: 64 });
    const tree = new Btree(space.tm, { valueType: PLAIN_U64 });
    let root = tree.empty();
    for (let i = 0; i < 600; i++) root = tree.insert(root, i, 1);
    space.commit();
    const sound = space.device.toBytes();
    let seed = 9;
    const random = (below: number) => {
      seed = (seed * 48271) % 2147483647;
      return seed % below;
    };
    const values = [0, 1, 2, 3, 8, 251, 252, 253, 255, 4064, 4096, 65536, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
    for (let round = 0; round < 300; round++) {
      space.reopen();
      const { slab } = space.blockManager;
      const block = round % 2 === 0 ? root : space.node(root).childAt(1);
      const base = space.blockManager.writeLock(block, NODE_VALIDATOR);
      for (let i = 0; i < 2; i++) slab.words[base + [1, 4, 5, 6][random(4)]!] = values[random(values.length)]!;
      space.blockManager.unlock(base);
      space.blockManager.writeDirty();
      space.reopen();
      const again = new Btree(space.tm, { valueType: PLAIN_U64 });
      for (const use of [
        () => again.lookup(root, 300),
        () => again.lookupNext(root, 301),
        () => again.remove(root, 300),
      ]) {
        try {
          use();
        } catch (error) {
          // A key may be gone with the entries that the header does not count any more.
          if (!(error instanceof CorruptionError || error instanceof StateError)) throw error;
        }
      }
      space.device.write(0, [sound]);
    }
  });
});
