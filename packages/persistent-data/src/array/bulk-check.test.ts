import { expect, test } from 'vitest';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import type { Finding } from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { PLAIN_U32 } from '../btree/index.ts';
import { TreeChecker } from '../disk-space-map/index.ts';
import { ARRAY_VALIDATOR, ArrayBlockView } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { CoreSpaceMap } from '../space-map/index.ts';
import { TransactionManager } from '../transaction-manager/index.ts';
import { PersistentArray } from './array.ts';
import { BulkArrayChecker, type BulkArrayOutcome } from './bulk-check.ts';

const PER_BLOCK = 1018;

/** A device with an array of that many elements, each its own index. */
function arrayOf(length: number) {
  const device = new MemoryDevice({ nrBlocks: 400 });
  const counts = new CoreSpaceMap(device.nrBlocks);
  counts.incRange(0, 1);
  const tm = new TransactionManager(new BlockManager(device, { cacheBlocks: 64 }), counts);
  const array = new PersistentArray(tm, PLAIN_U32);
  const root = array.create(length, (index) => index);
  tm.blockManager.flush();
  return { device, counts, tm, array, root, sick: new SickPool(device) };
}

function check(
  arrays: BulkArrayChecker,
  root: number,
  length: number,
): { findings: Finding[]; outcome: BulkArrayOutcome; elements: number[] } {
  const elements: number[] = [];
  const run = arrays.check(root, {
    kind: 3,
    valueSize: 4,
    length,
    visit: (words, at, nr, first) => {
      for (let i = 0; i < nr; i++) elements[first + i] = words[at + i]!;
    },
  });
  const findings: Finding[] = [];
  let step = run.next();
  for (; !step.done; step = run.next()) findings.push(step.value);
  return { findings, outcome: step.value, elements };
}

function checkOnce(device: MemoryDevice, root: number, length: number) {
  const checker = new TreeChecker(device);
  return check(new BulkArrayChecker(checker), root, length);
}

/** Changes the header of an array block, and seals it. */
function change(device: MemoryDevice, block: number, change: (view: ArrayBlockView) => void): void {
  const sick = new SickPool(device);
  sick.reseal(block, ARRAY_VALIDATOR, () => change(new ArrayBlockView(sick.slab)));
}

test('a sound array: all elements are seen once, all references counted, two arrays may share blocks', () => {
  const { device, counts, tm, array, root } = arrayOf(5 * PER_BLOCK + 7);
  tm.inc(root);
  const other = array.set(root, PER_BLOCK, 77);
  tm.blockManager.flush();
  const checker = new TreeChecker(device);
  const arrays = new BulkArrayChecker(checker);
  const first = check(arrays, root, 5 * PER_BLOCK + 7);
  expect(first.findings).toEqual([]);
  expect(first.outcome).toEqual({ isWhole: true, rootIsLost: false });
  expect(first.elements).toEqual(Array.from({ length: 5 * PER_BLOCK + 7 }, (_, i) => i));
  const second = check(arrays, other, 5 * PER_BLOCK + 7);
  expect(second.findings).toEqual([]);
  expect(Object.keys(second.elements)).toHaveLength(PER_BLOCK);
  for (let b = 1; b < device.nrBlocks; b++) expect([b, checker.counts.count(b)]).toEqual([b, counts.getCount(b)]);
});

test('an array may be longer than its owner says, not shorter', () => {
  const { device, root } = arrayOf(PER_BLOCK + 5);
  expect(checkOnce(device, root, 3).findings).toEqual([]);
  expect(checkOnce(device, root, PER_BLOCK + 5).findings).toEqual([]);
  const short = checkOnce(device, root, PER_BLOCK + 6);
  expect(short.findings).toMatchObject([{ code: 'array.too-short', keys: { begin: 1018n, end: 2036n } }]);
  expect(short.outcome.isWhole).toBe(false);
  expect(checkOnce(device, root, 3 * PER_BLOCK).findings.map(({ code }) => code)).toContain('array.gap');
});

test('a block that cannot be believed, has another geometry, or is not full, is told with its place', () => {
  const { device, array, tm, root, sick } = arrayOf(4 * PER_BLOCK);
  const blocks = [0, 1, 2, 3].map((index) => array.tree.lookup(root, index)!);
  expect(tm.blockManager.nrLocked).toBe(0);
  change(device, blocks[0]!, (view) => {
    view.nrEntries = 1000;
  });
  change(device, blocks[1]!, (view) => view.setHeader(8));
  sick.spoil(blocks[2]!);
  const { findings } = checkOnce(device, root, 4 * PER_BLOCK);
  expect(findings.map(({ code, block, path }) => [code, block, path])).toEqual([
    ['array.not-full', blocks[0], [root, blocks[0]]],
    ['array.geometry', blocks[1], [root, blocks[1]]],
    ['array.block', blocks[2], [root, blocks[2]]],
  ]);
});

test('a reference to what is no array block, or to no block at all', () => {
  const { device, array, tm, root } = arrayOf(2 * PER_BLOCK);
  const [first] = [array.tree.lookup(root, 0)!];
  const wrong = array.tree.overwrite(root, 1, (at) => {
    tm.blockManager.slab.words[at >>> 2] = 0xffff;
  })!;
  tm.blockManager.flush();
  const checker = new TreeChecker(device);
  checker.countBlock(first, 'bitmap');
  const { findings } = check(new BulkArrayChecker(checker), wrong, 2 * PER_BLOCK);
  expect(findings.map(({ code }) => code).sort()).toEqual(['block.outside', 'block.shared']);
});

test('an array of several leaves that lacks a block is told, with the way to a block that is sick', () => {
  // More blocks than one node has entries.
  const { device, array, root, sick } = arrayOf(300 * PER_BLOCK);
  expect(checkOnce(device, root, 300 * PER_BLOCK).findings).toEqual([]);
  const leaf = sick.children(root)[1] as number;
  const index = array.perBlock === PER_BLOCK ? 290 : -1;
  const block = array.tree.lookup(root, index) as number;
  sick.spoil(block);
  expect(checkOnce(device, root, 300 * PER_BLOCK).findings.map(({ code, path }) => [code, path])).toEqual([
    ['array.block', [root, leaf, block]],
  ]);
  sick.spoil(block);
  // The last block says that it is one further on.
  const keys = sick.keys(leaf);
  sick.setKey(leaf, keys.length - 1, 300);
  const { findings, outcome } = checkOnce(device, root, 300 * PER_BLOCK);
  expect(findings.map(({ code, message }) => [code, /has no block of index 299/.test(message)])).toContainEqual([
    'array.gap',
    true,
  ]);
  expect(outcome.isWhole).toBe(false);
});

test('an array that shares leaves with one met before is known by its number of blocks', () => {
  const { device, tm, array, root, sick } = arrayOf(300 * PER_BLOCK);
  tm.inc(root);
  const other = array.set(root, 299 * PER_BLOCK, 5);
  tm.blockManager.flush();
  const arrays = new BulkArrayChecker(new TreeChecker(device));
  expect(check(arrays, root, 300 * PER_BLOCK).findings).toEqual([]);
  expect(check(arrays, other, 300 * PER_BLOCK).findings).toEqual([]);
  expect(sick.children(other)[0]).toBe(sick.children(root)[0]);
  expect(check(arrays, other, 301 * PER_BLOCK).findings.map(({ code }) => code)).toContain('array.gap');
});
