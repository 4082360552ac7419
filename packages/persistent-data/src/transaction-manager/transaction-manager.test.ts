import { describe, expect, test } from 'vitest';
import { RecordingDevice } from '../../../../test/structures/recording-device.ts';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import {
  AssertionError,
  CorruptionError,
  DeviceError,
  NoSpaceError,
  ReadOnlyError,
  StateError,
} from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { Btree } from '../btree/index.ts';
import { BITMAP_VALIDATOR, NODE_FLAG_LEAF, NODE_VALIDATOR, NodeView } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { CoreSpaceMap } from '../space-map/index.ts';
import { CrashDevice, FaultDevice } from '../testing/index.ts';
import { type TraceEvent, TransactionManager } from './transaction-manager.ts';

const VALUE = 100;

function fixture(nrBlocks = 64) {
  const device = new RecordingDevice(new MemoryDevice({ nrBlocks }));
  const blockManager = new BlockManager(device, { cacheBlocks: 32 });
  const spaceMap = new CoreSpaceMap(nrBlocks);
  spaceMap.setCount(0, 1);
  const tm = new TransactionManager(blockManager, spaceMap);
  return { device, blockManager, spaceMap, tm };
}

type Fixture = ReturnType<typeof fixture>;

/** A new block that holds `value`. */
function make({ tm, blockManager }: Pick<Fixture, 'tm' | 'blockManager'>, value: number): number {
  const base = tm.newBlock(BITMAP_VALIDATOR);
  blockManager.slab.words[base + VALUE] = value;
  const b = blockManager.blockAt(base);
  tm.unlock(base);
  return b;
}

/** Shadows `b`, writes `value` into the shadow and answers its number. */
function rewrite({ tm, blockManager }: Pick<Fixture, 'tm' | 'blockManager'>, b: number, value: number): number {
  const base = tm.shadow(b, BITMAP_VALIDATOR);
  blockManager.slab.words[base + VALUE] = value;
  tm.unlock(base);
  return blockManager.blockAt(base);
}

function value({ tm, blockManager }: Fixture, b: number): number {
  return blockManager.slab.words[tm.read(b, BITMAP_VALIDATOR) + VALUE]!;
}

function commit({ tm, blockManager }: Pick<Fixture, 'tm' | 'blockManager'>): void {
  tm.preCommit();
  tm.commit(blockManager.writeLockZero(0, BITMAP_VALIDATOR));
}

describe('a new block', () => {
  test('is zero, locked, counted once, and of this transaction', () => {
    const { tm, blockManager, spaceMap } = fixture();
    const base = tm.newBlock(BITMAP_VALIDATOR);
    const b = blockManager.blockAt(base);
    expect(blockManager.slab.words.subarray(base, base + 1024).every((word) => word === 0)).toBe(true);
    expect([b, spaceMap.getCount(b), tm.ref(b), tm.isShadow(b), tm.isShared(b), tm.nrShadows]).toEqual([
      1,
      1,
      1,
      true,
      false,
      1,
    ]);
    expect(blockManager.nrLocked).toBe(1);
  });
});

describe('a shadow', () => {
  test('of a committed block is a copy elsewhere; the original loses a reference and keeps its content', () => {
    const f = fixture();
    const b = make(f, 7);
    commit(f);
    expect([f.tm.isShadow(b), f.tm.nrShadows]).toEqual([false, 0]);
    const copy = rewrite(f, b, 8);
    expect(copy).not.toBe(b);
    expect([value(f, b), value(f, copy)]).toEqual([7, 8]);
    expect([f.tm.ref(b), f.tm.ref(copy), f.tm.shadowWasShared]).toEqual([0, 1, false]);
  });

  test('of a block of this transaction is the block itself: the elision', () => {
    const f = fixture();
    const b = make(f, 7);
    expect(rewrite(f, b, 8)).toBe(b);
    commit(f);
    const copy = rewrite(f, b, 9);
    expect(rewrite(f, copy, 10)).toBe(copy);
    expect([value(f, copy), f.tm.nrShadows, f.tm.shadowWasShared]).toEqual([10, 1, false]);
  });

  test('of a block with two references is a copy even in the transaction that made it, and says so', () => {
    const f = fixture();
    const b = make(f, 7);
    f.tm.inc(b);
    const copy = rewrite(f, b, 8);
    expect(copy).not.toBe(b);
    expect([f.tm.shadowWasShared, f.tm.ref(b), f.tm.ref(copy)]).toEqual([true, 1, 1]);
    expect([value(f, b), value(f, copy)]).toEqual([7, 8]);
    // One reference is left: the block itself again.
    expect(rewrite(f, b, 9)).toBe(b);
    expect(f.tm.shadowWasShared).toBe(false);
  });

  test('of a committed block with two references leaves the other one', () => {
    const f = fixture();
    const b = make(f, 7);
    f.tm.inc(b);
    commit(f);
    const copy = rewrite(f, b, 8);
    expect([f.tm.shadowWasShared, f.tm.ref(b), f.tm.ref(copy)]).toEqual([true, 1, 1]);
    expect(value(f, b)).toBe(7);
  });

  test('of a block that was freed and handed out again is no old copy', () => {
    const f = fixture(4);
    const b = make(f, 7);
    f.tm.dec(b);
    make(f, 1);
    make(f, 2);
    expect(make(f, 9)).toBe(b);
    expect(rewrite(f, b, 10)).toBe(b);
  });

  test('is written under its own number', () => {
    const f = fixture();
    const b = make(f, 7);
    commit(f);
    const copy = rewrite(f, b, 8);
    commit(f);
    const fresh = new BlockManager(f.device, { cacheBlocks: 32 });
    expect(fresh.slab.words[fresh.read(copy, BITMAP_VALIDATOR) + VALUE]).toBe(8);
  });
});

describe('counts', () => {
  test('go through to the space map, in ranges too', () => {
    const { tm, spaceMap } = fixture();
    tm.incRange(5, 8);
    tm.inc(6);
    expect([5, 6, 7].map((b) => [tm.ref(b), tm.isShared(b)])).toEqual([
      [1, false],
      [2, true],
      [1, false],
    ]);
    tm.decRange(5, 7);
    tm.dec(7);
    expect([5, 6, 7].map((b) => spaceMap.getCount(b))).toEqual([0, 1, 0]);
  });

  test('every change moves `version` on', () => {
    const f = fixture();
    const seen = new Set([f.tm.version]);
    const b = make(f, 1);
    seen.add(f.tm.version);
    rewrite(f, b, 2);
    seen.add(f.tm.version);
    f.tm.inc(b);
    seen.add(f.tm.version);
    f.tm.dec(b);
    seen.add(f.tm.version);
    commit(f);
    seen.add(f.tm.version);
    expect(seen.size).toBe(6);
    const { version } = f.tm;
    value(f, b);
    expect(f.tm.version).toBe(version);
  });
});

describe('a commit', () => {
  test('writes everything, flushes, writes the superblock, flushes', () => {
    const f = fixture();
    for (let i = 0; i < 5; i++) make(f, i);
    f.device.take();
    commit(f);
    expect(f.device.take()).toEqual(['write 1+5', 'flush', 'write 0+1', 'flush']);
    commit(f);
    expect(f.device.take()).toEqual(['flush', 'write 0+1', 'flush']);
  });

  test('makes a block that was freed available, not before', () => {
    const f = fixture(4);
    const blocks = [make(f, 1), make(f, 2), make(f, 3)];
    commit(f);
    f.tm.dec(blocks[1]!);
    expect(() => make(f, 4)).toThrow(NoSpaceError);
    const g = { ...f, tm: new TransactionManager(f.blockManager, f.spaceMap) };
    commit(g);
    expect(make(g, 4)).toBe(blocks[1]);
  });

  test('with a lock held is an assertion', () => {
    const f = fixture();
    const b = make(f, 1);
    commit(f);
    f.tm.readLock(b, BITMAP_VALIDATOR);
    f.tm.preCommit();
    expect(() => f.tm.commit(f.blockManager.writeLockZero(0, BITMAP_VALIDATOR))).toThrow(
      new AssertionError('no lock is held across a commit'),
    );
  });

  test('can be cut into its steps, for owners who write in their own way', () => {
    const f = fixture();
    const b = make(f, 1);
    f.device.take();
    f.tm.prepareCommit();
    f.tm.finishCommit();
    expect([f.device.take(), f.tm.isShadow(b)]).toEqual([[], false]);
    expect(rewrite(f, b, 2)).not.toBe(b);
  });

  /** Runs two commits on a crash device and answers whether a crash can leave a superblock that refers to what is not there. */
  function losesData(dropFlush?: (index: number) => boolean): boolean {
    let lost = false;
    const device = new CrashDevice({
      nrBlocks: 64,
      ...(dropFlush ? { dropFlush } : {}),
      onCrashPoint: (point) => {
        for (const state of point.states({ limit: 50, seed: 1 })) {
          const disk = new BlockManager(state.open(), { cacheBlocks: 32 });
          try {
            const b = disk.slab.words[disk.read(0, BITMAP_VALIDATOR) + VALUE]!;
            if (b !== 0 && disk.slab.words[disk.read(b, BITMAP_VALIDATOR) + VALUE] !== 1000 + b) lost = true;
          } catch (error) {
            // A torn superblock is not the transaction manager's to prevent; a bad block under a good one is.
            if (!(error instanceof CorruptionError) || error.block !== 0) lost = true;
          }
        }
      },
    });
    const blockManager = new BlockManager(device, { cacheBlocks: 32 });
    const spaceMap = new CoreSpaceMap(64);
    spaceMap.setCount(0, 1);
    const tm = new TransactionManager(blockManager, spaceMap);
    const superblock = (b: number): number => {
      const base = blockManager.writeLockZero(0, BITMAP_VALIDATOR);
      blockManager.slab.words[base + VALUE] = b;
      return base;
    };
    tm.preCommit();
    tm.commit(superblock(0));
    let b = make({ tm, blockManager }, 0);
    for (let round = 0; round < 2; round++) {
      b = rewrite({ tm, blockManager }, b, 0);
      const base = tm.shadow(b, BITMAP_VALIDATOR);
      blockManager.slab.words[base + VALUE] = 1000 + b;
      tm.unlock(base);
      tm.preCommit();
      tm.commit(superblock(b));
    }
    return lost;
  }

  test('survives a crash at any moment', () => {
    expect(losesData()).toBe(false);
  });

  test('does not when the flush before the superblock is dropped: negative control', () => {
    expect(losesData((index) => index % 2 === 0)).toBe(true);
  });
});

describe('a transaction that fails half-way is broken', () => {
  function expectBroken(tm: TransactionManager, reason: unknown): void {
    expect(tm.broken).toBe(reason);
    const uses = [
      () => tm.newBlock(BITMAP_VALIDATOR),
      () => tm.shadow(1, BITMAP_VALIDATOR),
      () => tm.inc(1),
      () => tm.dec(1),
      () => tm.preCommit(),
      () => tm.finishCommit(),
    ];
    for (const use of uses) {
      let error: unknown;
      try {
        use();
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(StateError);
      expect((error as Error).cause).toBe(reason);
      expect((error as Error).message).toMatch(
        /^Cannot change anything: the transaction failed and has to be rolled back: ./,
      );
    }
  }

  test('by a lack of space', () => {
    const f = fixture(3);
    make(f, 1);
    make(f, 2);
    expect(() => make(f, 3)).toThrow(NoSpaceError);
    expectBroken(f.tm, f.tm.broken);
    expect(f.tm.broken).toBeInstanceOf(NoSpaceError);
    // Reading goes on.
    expect(value(f, 1)).toBe(1);
  });

  test('by a wrong count', () => {
    const f = fixture();
    expect(() => f.tm.decRange(5, 7)).toThrow(CorruptionError);
    expectBroken(f.tm, f.tm.broken);
    const g = fixture();
    expect(() => g.tm.incRange(63, 65)).toThrow(CorruptionError);
    expectBroken(g.tm, g.tm.broken);
  });

  test('by a bad block', () => {
    const f = fixture();
    f.spaceMap.setCount(9, 1);
    expect(() => f.tm.shadow(9, BITMAP_VALIDATOR)).toThrow(CorruptionError);
    expectBroken(f.tm, f.tm.broken);
  });

  test('by a space map that cannot write itself down', () => {
    const f = fixture();
    const reason = new DeviceError('smoke');
    f.spaceMap.commit = () => {
      throw reason;
    };
    expect(() => f.tm.preCommit()).toThrow(reason);
    expectBroken(f.tm, reason);
  });

  test('by whoever says so, and the first reason stands', () => {
    const f = fixture();
    f.tm.markBroken('a reason that is no error');
    f.tm.markBroken(new Error('a later one'));
    expectBroken(f.tm, 'a reason that is no error');
  });

  test('and a failing device latches the block manager as well', () => {
    const device = new FaultDevice(new MemoryDevice({ nrBlocks: 64 }), {
      faults: [{ kind: 'error', call: 'write', at: 0 }],
    });
    const blockManager = new BlockManager(device, { cacheBlocks: 32 });
    const tm = new TransactionManager(blockManager, new CoreSpaceMap(64));
    make({ tm, blockManager }, 1);
    expect(() => tm.preCommit()).toThrow(DeviceError);
    expect(blockManager.failure).toBeInstanceOf(DeviceError);
    expect(() => make({ tm, blockManager }, 1)).toThrow('latched after a failure');
    // The device's failure is told first: no rollback helps.
    expect(() => tm.refuseIfBroken('look')).toThrow(/^Cannot look: latched after a failure, reopen to go on: /);
  });

  test('and its owner can ask before anything is used', () => {
    const { tm, blockManager } = fixture();
    tm.refuseIfBroken('look');
    tm.refuseIfReadOnly('write');
    blockManager.setReadOnly();
    tm.refuseIfBroken('look');
    expect(() => tm.refuseIfReadOnly('write')).toThrow(new ReadOnlyError('Cannot write: the metadata is read-only'));
    tm.markBroken('smoke');
    expect(() => tm.refuseIfBroken('look')).toThrow(
      new StateError('Cannot look: the transaction failed and has to be rolled back: smoke', { cause: 'smoke' }),
    );
  });
});

test('a failed change is rolled back by opening again: the last commit is as it was', () => {
  const space = new ScratchSpace({ nrBlocks: 12 });
  let tree = new Btree(space.tm, { valueType: patternType(8) });
  let root = tree.empty();
  for (let key = 0; key < 300; key++) root = tree.insert(root, key, key);
  space.commit();
  const before = space.counts();
  expect(() => {
    let now = root;
    for (let key = 300; key < 3000; key++) now = tree.insert(now, key, key);
  }).toThrow(NoSpaceError);
  expect(() => tree.insert(root, 5, 5)).toThrow(StateError);
  space.reopen();
  tree = new Btree(space.tm, { valueType: patternType(8) });
  expect(space.counts()).toEqual(before);
  for (let key = 0; key < 310; key++) expect(tree.lookup(root, key)).toBe(key < 300 ? key : undefined);
});

test('a trace hook is told what happens', () => {
  const f = fixture();
  const events: TraceEvent[] = [];
  f.tm.trace = (event) => events.push(event);
  const b = make(f, 1);
  rewrite(f, b, 2);
  f.tm.inc(b);
  const copy = rewrite(f, b, 3);
  f.tm.decRange(b, b + 1);
  commit(f);
  expect(events).toEqual([
    { event: 'new', block: b, kind: 'bitmap' },
    { event: 'inc', begin: b, end: b + 1 },
    { event: 'shadow', from: b, to: copy, kind: 'bitmap', shared: true },
    { event: 'dec', begin: b, end: b + 1 },
    { event: 'pre-commit' },
    { event: 'commit' },
  ]);
});

test('a manager may make its own space map, and reads through the block manager', () => {
  const blockManager = new BlockManager(new MemoryDevice({ nrBlocks: 8 }), { cacheBlocks: 32 });
  const seen: TransactionManager[] = [];
  const tm = new TransactionManager(blockManager, (unfinished) => {
    seen.push(unfinished);
    return new CoreSpaceMap(8);
  });
  expect(seen).toEqual([tm]);
  const base = tm.newBlock(NODE_VALIDATOR);
  expect(() => tm.readLock(blockManager.blockAt(base), NODE_VALIDATOR)).toThrow(CorruptionError);
  tm.unlock(base);
  const again = tm.readLock(blockManager.blockAt(base), NODE_VALIDATOR);
  expect([again, blockManager.nrLocked]).toEqual([base, 1]);
});

test('a shadow of a node that nobody shares takes its place in memory; the disk has the node as it was', () => {
  const { tm, blockManager } = fixture();
  const fill = (base: number, entry: number) => {
    const node = new NodeView(blockManager.slab, base);
    node.setHeader(NODE_FLAG_LEAF, 1, 8);
    node.setKey(0, 0, entry);
    tm.unlock(base);
    return blockManager.blockAt(base);
  };
  const keyOf = (b: number) => new NodeView(blockManager.slab, tm.read(b, NODE_VALIDATOR)).keyLow(0);
  const nodes = [1, 2, 3].map((key) => fill(tm.newBlock(NODE_VALIDATOR), key));
  const [plain, shared, held] = nodes as [number, number, number];
  tm.inc(shared);
  tm.preCommit();
  tm.commit(blockManager.writeLockZero(0, BITMAP_VALIDATOR));
  const place = tm.read(plain, NODE_VALIDATOR);
  const lock = tm.readLock(held, NODE_VALIDATOR);
  const copies = nodes.map((b) => fill(tm.shadow(b, NODE_VALIDATOR), 10 + b));
  tm.unlock(lock);
  expect(nodes.map((b) => blockManager.isCached(b))).toEqual([false, true, true]);
  expect(tm.read(copies[0]!, NODE_VALIDATOR)).toBe(place);
  expect([...nodes, ...copies].map(keyOf)).toEqual([1, 2, 3, ...nodes.map((b) => 10 + b)]);
  // What was not committed is forgotten, and the commit is whole.
  blockManager.forgetDirty();
  expect(nodes.map(keyOf)).toEqual([1, 2, 3]);
});
