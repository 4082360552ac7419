/**
 * Both space maps on one small device, against plain arrays: allocation, counts of all sizes, growth, shrinking, commits, rollbacks, versions
 * that are held. After each command every count is compared, and every metadata block is accounted for by a plain walk.
 */

import fc from 'fast-check';
import { CorruptionError, NoSpaceError, PersistentDataError } from 'persistent-data/base';
import type { KeptVersion } from 'persistent-data/disk-space-map';
import { test } from 'vitest';
import { nrCommands, replay, timeLimit } from '../replay.ts';
import { PlainWalk } from '../structures/plain-walk.ts';
import { SpaceMapFixture } from '../structures/space-map-fixture.ts';
import { ExactLength } from './exact-length.ts';
import { GuardedDevice } from './guarded-device.ts';

const WEIGHTS = {
  newData: 12,
  incData: 10,
  decData: 10,
  setData: 4,
  badData: 1,
  newMetadata: 12,
  incMetadata: 8,
  decMetadata: 10,
  setMetadata: 2,
  growData: 2,
  shrinkData: 2,
  growMetadata: 1,
  shrinkMetadata: 1,
  keep: 2,
  release: 3,
  commit: 8,
  rollback: 3,
};

type Kind = keyof typeof WEIGHTS;

interface Command {
  readonly kind: Kind;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const PROFILES: Record<string, { nrBlocks: number; nrDataBlocks: number; cacheBlocks: number }> = {
  tiny: { nrBlocks: 32, nrDataBlocks: 40, cacheBlocks: 32 },
  small: { nrBlocks: 80, nrDataBlocks: 300, cacheBlocks: 32 },
  // Counts above two of so many blocks make trees of several leaves.
  large: { nrBlocks: 900, nrDataBlocks: 1500, cacheBlocks: 40 },
  // The border of two bitmaps lies in the midst of what is used.
  border: { nrBlocks: 64, nrDataBlocks: 16_400, cacheBlocks: 32 },
};

interface Version {
  readonly data: Map<number, number>;
  readonly usedMetadata: Uint8Array;
}

interface Held extends Version {
  readonly keptData: KeptVersion;
  readonly keptMetadata: KeptVersion;
}

function fail(text: string): never {
  throw new Error(text);
}

class SpaceMapRunner {
  readonly #device: GuardedDevice;
  readonly #fixture: SpaceMapFixture;
  /** Where data blocks are taken: around the border of bitmaps, if there is one. */
  readonly #base: number;
  /** Counts that are not 0. */
  #data = new Map<number, number>();
  #nrData: number;
  #committed: Version & { nrData: number };
  #held: Held[] = [];
  readonly #touched = new Set<number>();

  constructor(options: (typeof PROFILES)[string]) {
    this.#device = new GuardedDevice(options.nrBlocks);
    this.#fixture = new SpaceMapFixture({ ...options, device: this.#device });
    this.#nrData = options.nrDataBlocks;
    this.#base = Math.max(0, options.nrDataBlocks - 200);
    this.#committed = { ...this.#version(), nrData: this.#nrData };
    // So that a search from the beginning ends near the border.
    if (this.#base > 300) this.#countData(0, this.#base - 50, 1);
    this.#touched.clear();
    this.#commit();
  }

  get fixture(): SpaceMapFixture {
    return this.#fixture;
  }

  run(command: Command): void {
    const { nrFree } = this.#fixture.spaceMap;
    try {
      this.#run(command);
    } catch (error) {
      if (!(error instanceof PersistentDataError)) throw error;
      this.#afterFailure(command, error, nrFree);
    }
    this.#check(command.kind === 'commit');
  }

  #afterFailure(command: Command, error: PersistentDataError, nrFree: number): void {
    const { tm } = this.#fixture;
    if (!(error instanceof NoSpaceError))
      throw new Error(`${JSON.stringify(command)}: ${error.message}`, { cause: error });
    if (tm.broken === undefined) {
      const isAllocation = command.kind === 'newData';
      if (isAllocation && this.#freeData().length > 0) throw new Error(`data block ${this.#freeData()[0]} is free`);
      return;
    }
    if (nrFree > 30) throw new Error(`no space, with ${nrFree} free: ${JSON.stringify(command)}`);
    this.#rollback();
  }

  #version(): Version {
    const { spaceMap } = this.#fixture;
    const usedMetadata = Uint8Array.from({ length: spaceMap.nrBlocks }, (_, b) => Math.min(spaceMap.getCount(b), 1));
    return { data: new Map(this.#data), usedMetadata };
  }

  #freeData(): number[] {
    const versions = [this.#data, this.#committed.data, ...this.#held.map(({ data }) => data)];
    const blocks = Array.from({ length: this.#nrData }, (_, b) => b);
    return blocks.filter((b) => versions.every((data) => !data.has(b)));
  }

  /** Only the blocks that a command can reach by its numbers. */
  #place(a: number): number {
    return Math.min(this.#base + (a % 200), this.#nrData - 1);
  }

  #run({ kind, a, b, c }: Command): void {
    const { dataMap, spaceMap, owned } = this.#fixture;
    const blocks = [...owned.keys()];
    const mine = blocks[a % blocks.length];
    switch (kind) {
      case 'newData': {
        const block = dataMap.newBlock();
        for (const { data } of [this.#committed, ...this.#held, { data: this.#data }]) {
          if (data.has(block)) fail(`data block ${block} is handed out, and a version uses it`);
        }
        this.#setData(block, 1);
        return;
      }
      case 'incData':
      case 'decData': {
        const begin = this.#place(a);
        const end = Math.min(begin + c, this.#nrData);
        const delta = kind === 'incData' ? 1 : -1;
        const counts = Array.from({ length: end - begin }, (_, i) => this.#data.get(begin + i) ?? 0);
        if (delta > 0 || counts.every((count) => count > 0)) this.#countData(begin, end, delta);
        return;
      }
      case 'setData': {
        const count = [0, 1, 2, 3, 4, 300, 2 ** 32 - 1][b % 7]!;
        dataMap.setCount(this.#place(a), count);
        this.#setData(this.#place(a), count);
        return;
      }
      case 'badData':
        this.#decFree();
        return;
      case 'newMetadata':
        this.#newMetadata(1 + (c % 10));
        return;
      case 'incMetadata':
        for (let i = 0; mine !== undefined && i <= b % 4; i++) this.#countMetadata(mine, 1);
        return;
      case 'decMetadata':
        for (const block of blocks.slice(a % (blocks.length + 1)).slice(0, 1 + (b % 10)))
          this.#countMetadata(block, -1);
        return;
      case 'setMetadata':
        if (mine === undefined) return;
        spaceMap.setCount(mine, 1 + (b % 6));
        owned.set(mine, 1 + (b % 6));
        return;
      case 'growData':
        dataMap.extend(c);
        this.#nrData += c;
        return;
      case 'shrinkData':
        dataMap.shrink(Math.max(1, this.#nrData - c));
        this.#nrData = Math.max(1, this.#nrData - c);
        return;
      case 'growMetadata':
        this.#fixture.blockManager.resize(Math.max(spaceMap.nrBlocks + c, this.#device.nrBlocks));
        spaceMap.extend(c);
        return;
      case 'shrinkMetadata':
        spaceMap.shrink(Math.max(8, spaceMap.nrBlocks - c));
        return;
      case 'keep':
        if (this.#held.length < 3) this.#keep();
        return;
      case 'release':
        this.#release(a);
        return;
      case 'commit':
        this.#commit();
        return;
      case 'rollback':
        this.#rollback();
        return;
      default:
        kind satisfies never;
    }
  }

  /** Takes a reference from a block that has none. */
  #decFree(): void {
    const [free] = this.#freeData();
    if (free === undefined) return;
    try {
      this.#fixture.dataMap.decRange(free, free + 1);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      this.#rollback();
      return;
    }
    fail(`the count of data block ${free} fell below 0`);
  }

  #newMetadata(count: number): void {
    for (let i = 0; i < count; i++) {
      const block = this.#fixture.allocate();
      if (block >= this.#fixture.spaceMap.nrBlocks) fail(`block ${block} is beyond the end`);
      for (const { usedMetadata } of [this.#committed, ...this.#held]) {
        if ((usedMetadata[block] ?? 0) > 0) fail(`block ${block} is handed out, and a version uses it`);
      }
    }
  }

  #countMetadata(block: number, delta: 1 | -1): void {
    const { spaceMap } = this.#fixture;
    if (delta > 0) spaceMap.incRange(block, block + 1);
    else spaceMap.decRange(block, block + 1);
    this.#fixture.addOwned(block, delta);
  }

  #countData(begin: number, end: number, delta: 1 | -1): void {
    // At 2^32 - 1 a count cannot rise.
    for (let b = begin; b < end; b++) if (delta > 0 && (this.#data.get(b) ?? 0) >= 2 ** 32 - 1) return;
    const { dataMap } = this.#fixture;
    if (delta > 0) dataMap.incRange(begin, end);
    else dataMap.decRange(begin, end);
    for (let b = begin; b < end; b++) this.#setData(b, (this.#data.get(b) ?? 0) + delta);
  }

  #setData(block: number, count: number): void {
    this.#touched.add(block);
    if (count === 0) this.#data.delete(block);
    else this.#data.set(block, count);
  }

  #guard(): void {
    this.#device.guards.clear();
    for (const { usedMetadata } of [this.#committed, ...this.#held]) this.#device.guards.add(usedMetadata);
  }

  #commit(): void {
    this.#fixture.commit();
    this.#committed = { ...this.#version(), nrData: this.#nrData };
    this.#guard();
  }

  #rollback(): void {
    this.#fixture.rollback();
    this.#data = new Map(this.#committed.data);
    this.#nrData = this.#committed.nrData;
  }

  #keep(): void {
    const { data, usedMetadata } = this.#committed;
    const keptData = this.#fixture.dataMap.keepCommitted();
    this.#held.push({ data, usedMetadata, keptData, keptMetadata: this.#fixture.spaceMap.keepCommitted() });
    this.#guard();
  }

  #release(a: number): void {
    const [held] = this.#held.splice(a % (this.#held.length + 1), 1);
    if (held === undefined) return;
    this.#fixture.kept.data.release(held.keptData);
    this.#fixture.kept.metadata.release(held.keptMetadata);
    this.#guard();
  }

  #check(isCommitted: boolean): void {
    const { dataMap } = this.#fixture;
    this.#fixture.check(isCommitted);
    for (const b of this.#touched) {
      if (b >= this.#nrData) continue;
      const count = this.#data.get(b) ?? 0;
      if (dataMap.getCount(b) !== count)
        throw new Error(`data block ${b} is counted ${dataMap.getCount(b)}, not ${count}`);
      if (dataMap.countIsMoreThanOne(b) !== count > 1)
        throw new Error(`data block ${b}: count ${count}, shared or not?`);
    }
    const { nrBlocksUncommitted, nrBlocks, nrFree } = dataMap;
    if (nrBlocksUncommitted !== this.#nrData || nrBlocks !== this.#committed.nrData) fail(`the size is ${nrBlocks}`);
    if (nrFree !== this.#committed.nrData - this.#data.size) fail(`${nrFree} data blocks are free`);
    if (!isCommitted) return;
    const { counts } = new PlainWalk(this.#fixture.blockManager, this.#device).spaceMap(dataMap.root, 'data');
    const found = new Map<number, number>();
    for (const [b, count] of counts.entries()) if (count > 0) found.set(b, count);
    if (found.size !== this.#data.size) fail(`on the disk ${found.size} data blocks are used`);
    for (const [b, count] of this.#data)
      if (found.get(b) !== count) throw new Error(`on the disk block ${b} is counted wrongly`);
  }
}

const kinds = (Object.keys(WEIGHTS) as Kind[]).flatMap((kind) => new Array<Kind>(WEIGHTS[kind]).fill(kind));
const command: fc.Arbitrary<Command> = fc.record({
  kind: fc.constantFrom(...kinds),
  a: fc.nat(1000),
  b: fc.nat(1000),
  c: fc.nat(120),
});
const profile = fc.constantFrom(...Object.keys(PROFILES));

test(
  'space maps count as plain arrays do',
  () => {
    const plays = fc.property(profile, new ExactLength(command, nrCommands(200)), (name, commands) => {
      const runner = new SpaceMapRunner(PROFILES[name]!);
      for (const each of commands) runner.run(each);
    });
    fc.assert(plays, replay('model', 300));
  },
  timeLimit(240_000),
);
