import { CorruptionError, type Finding } from '../base/index.ts';
import { readU64 } from '../btree/index.ts';
import {
  badBlock,
  type CheckedTree,
  compareCounts,
  countMetadataSpaceMap,
  TreeChecker,
} from '../disk-space-map/index.ts';
import {
  ARRAY_VALIDATOR,
  ArrayBlockView,
  arrayEntriesFor,
  NODE_VALIDATOR,
  NodeView,
  STORE_DESCRIPTOR,
  STORE_NAME,
  STORE_SNAPSHOT,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { type Descriptor, NAME_TYPE, readDescriptor, readSnapshotRoots } from './catalogue.ts';
import type { StoreSuperblock } from './superblock.ts';

/** Kinds of trees, for {@link CheckedTree.kind}. */
const CATALOGUE = 0;
const NAMES = 1;
const SNAPSHOTS = 2;
const UPPER_LEVEL = 3;
const LAST_LEVEL = 4;
/** Blocks read together. */
const BATCH = 64;
/** The tree of an array's blocks: no node of it is one of a nested tree, but there are only five kinds for targets. */
const ARRAY_TREE = UPPER_LEVEL;

export interface StoreCheckOptions {
  /** Called now and then with the blocks read so far. */
  readonly onRead?: (nrRead: number) => void;
}

type Report = Parameters<NonNullable<CheckedTree['visitLeaf']>>[2];

/** Collects the entries of leaves; one that can't be read is reported. */
function collector<T>(read: (node: NodeView, at: number) => T): {
  readonly found: T[];
  readonly visitLeaf: NonNullable<CheckedTree['visitLeaf']>;
} {
  const found: T[] = [];
  return {
    found,
    visitLeaf: (node: NodeView, block: number, report: Report) => {
      for (let i = 0; i < node.nrEntries; i++) {
        try {
          found.push(read(node, node.valueAt(i)));
        } catch (error) {
          if (!(error instanceof CorruptionError)) throw error;
          report({ code: 'store.record', message: `${error.message} (block ${block}, entry ${i})` });
        }
      }
    },
  };
}

/**
 * Checks all of a checkpoint as it is on the device: every node of every state, and that the space map has the count of each block that the references
 * to it come to. Goes on after the first finding. Reads each block once or twice; 26 bytes of memory for each.
 */
export function* checkStore(
  device: BlockDevice,
  superblock: StoreSuperblock,
  options: StoreCheckOptions = {},
): Generator<Finding, void> {
  const checker = new TreeChecker(device, { ...options, ignoreNonFatal: true });
  const { journalBegins, journalBlocks } = superblock;
  for (const block of [0, 1]) yield* some(checker.countBlock(block, 'store_superblock'));
  for (const begin of journalBegins) {
    for (let b = begin; b < begin + journalBlocks; b++) yield* some(checker.countBlock(b, 'journal'));
  }
  yield* checkState(checker, superblock.catalogueRoot, superblock.namesRoot);
  const snapshots = collector((node, at) => readSnapshotRoots(node.slab, at));
  yield* checker.check(superblock.snapshotsRoot, {
    kind: SNAPSHOTS,
    valueSize: STORE_SNAPSHOT.size,
    visitLeaf: snapshots.visitLeaf,
  });
  for (const { catalogueRoot, namesRoot } of snapshots.found) yield* checkState(checker, catalogueRoot, namesRoot);
  const map = yield* countMetadataSpaceMap(checker, superblock.spaceMapRoot);
  yield* compareCounts(checker, map, checker.counts);
}

/** One state: the head or a snapshot. What it shares with those before it is counted, and not read again. */
function* checkState(checker: TreeChecker, catalogueRoot: number, namesRoot: number): Generator<Finding, void> {
  const descriptors = collector((node, at) => readDescriptor(node.slab, at));
  const { visitLeaf } = descriptors;
  const catalogue = yield* checker.check(catalogueRoot, {
    kind: CATALOGUE,
    valueSize: STORE_DESCRIPTOR.size,
    visitLeaf,
  });
  for (const descriptor of descriptors.found) yield* checkStructure(checker, descriptor);
  const names = collector((node, at) => NAME_TYPE.read(node.slab, at));
  const named = yield* checker.check(namesRoot, {
    kind: NAMES,
    valueSize: STORE_NAME.size,
    visitLeaf: names.visitLeaf,
  });
  if (catalogue.nrErrors > 0 || named.nrErrors > 0) return;
  const ids = yield* keysOf(checker, catalogueRoot);
  const idsNamed = yield* keysOf(checker, namesRoot);
  if (ids === undefined || idsNamed === undefined) return;
  for (const id of new Set([...ids, ...idsNamed])) {
    if (ids.has(id) && idsNamed.has(id)) continue;
    const lacks = ids.has(id) ? 'has no name' : 'has a name and is not in the catalogue';
    yield { severity: 'fatal', code: 'store.ids', message: `Collection ${id} ${lacks}`, block: namesRoot };
  }
}

/**
 * The keys of a tree that was found to be sound, whoever else it is shared with. Reads it in full, again, and a device may answer something else the second
 * time: then nothing is returned, with a finding that says so.
 */
function* keysOf(checker: TreeChecker, root: number): Generator<Finding, Set<number> | undefined> {
  const { scanner } = checker;
  const node = new NodeView(scanner.slab);
  const keys = new Set<number>();
  const seen = new Set([root]);
  // A set goes on to what is added while it is gone through; no block is met twice, so there is an end.
  for (const block of seen) {
    const problem = checker.isInside(block) ? loadNode(checker, node, block) : new Error(`block ${block} is outside`);
    if (problem !== undefined) {
      yield badBlock(problem, block);
      return undefined;
    }
    for (let i = 0; i < node.nrEntries; i++) {
      if (node.isLeaf) keys.add(node.keyAt(i));
      else seen.add(node.childAt(i));
    }
  }
  return keys;
}

/** Returns why the node cannot be believed. */
function loadNode({ scanner }: TreeChecker, node: NodeView, block: number): Error | undefined {
  scanner.loadOne(block);
  node.base = scanner.base(0);
  return scanner.problem(0, block, NODE_VALIDATOR);
}

function* checkStructure(checker: TreeChecker, descriptor: Descriptor): Generator<Finding, void> {
  const { root, levels, valueSize, count } = descriptor;
  if (descriptor.kind !== 'tree') {
    yield* checkArrayBlocks(checker, descriptor);
    return;
  }
  const nrEntries = yield* checkLevels(checker, root, levels, valueSize);
  if (nrEntries === undefined || nrEntries === count) return;
  yield {
    severity: 'fatal',
    code: 'store.count',
    message: `The tree at block ${root} has ${nrEntries} entries, its descriptor says ${count}`,
    block: root,
  };
}

/** An array, or a bitset's array of words: the tree of its blocks, then the blocks that were not met before. */
function* checkArrayBlocks(checker: TreeChecker, descriptor: Descriptor): Generator<Finding, void> {
  const { root, kind, length, valueSize } = descriptor;
  const entries = collector((node, at) => readU64(node.slab, at));
  const { nrEntries, nrErrors } = yield* checker.check(root, {
    kind: ARRAY_TREE,
    valueSize: 8,
    visitLeaf: entries.visitLeaf,
  });
  const perBlock = arrayEntriesFor(valueSize);
  const fresh: number[] = [];
  for (const block of entries.found) {
    if (!checker.isInside(block)) yield* some(checker.countBlock(block, 'array'));
    else if (checker.counts.inc(block) === 0) fresh.push(block);
  }
  const { scanner } = checker;
  const view = new ArrayBlockView(scanner.slab);
  for (let begin = 0; begin < fresh.length; begin += BATCH) {
    const batch = fresh.slice(begin, begin + BATCH);
    checker.load(batch, batch.length);
    for (const [k, block] of batch.entries()) {
      const error = scanner.problem(k, block, ARRAY_VALIDATOR);
      view.base = scanner.base(k);
      if (error !== undefined) yield badBlock(error, block);
      else if (view.valueSize !== valueSize || view.maxEntries !== perBlock) {
        const found = `${view.maxEntries} values of ${view.valueSize} bytes`;
        const message = `Cannot use array block ${block}: it has room for ${found}, ${perBlock} of ${valueSize} bytes are wanted`;
        yield { severity: 'fatal', code: 'array.geometry', message, block };
      }
    }
  }
  const wanted = Math.ceil((kind === 'bitset' ? Math.ceil(length / 64) : length) / perBlock);
  if (nrErrors > 0 || nrEntries === wanted) return;
  const message = `The ${kind} at block ${root} has ${nrEntries} blocks, for ${length} values ${wanted} are wanted`;
  yield { severity: 'fatal', code: 'store.count', message, block: root };
}

/** Answers the number of entries, where that is known: not where trees of several levels share leaves. */
function* checkLevels(
  checker: TreeChecker,
  root: number,
  levels: number,
  valueSize: number,
): Generator<Finding, number | undefined> {
  if (levels === 1) {
    const { nrEntries, nrErrors } = yield* checker.check(root, { kind: LAST_LEVEL, valueSize });
    return nrErrors === 0 ? nrEntries : undefined;
  }
  const roots = collector((node, at) => readU64(node.slab, at));
  yield* checker.check(root, { kind: UPPER_LEVEL, valueSize: 8, visitLeaf: roots.visitLeaf });
  for (const sub of roots.found) yield* checkLevels(checker, sub, levels - 1, valueSize);
  return undefined;
}

function* some(finding: Finding | undefined): Generator<Finding, void> {
  if (finding !== undefined) yield finding;
}
