/** Versions of arrays against plain lists: sets, resizes, snapshots, commits and rollbacks; counts and findings after each step. */

import fc from 'fast-check';
import { ArrayCursor, checkArray, PersistentArray } from 'persistent-data/array';
import { readU64 } from 'persistent-data/btree';
import { ARRAY_VALIDATOR, ArrayBlockView } from 'persistent-data/format';
import { expect, test } from 'vitest';
import { replay } from '../replay.ts';
import { countedType, referenceCounts, ScratchSpace } from '../structures/scratch-space.ts';

type Step =
  | { readonly do: 'set'; readonly on: number; readonly at: number; readonly count: number }
  | { readonly do: 'resize'; readonly on: number; readonly length: number }
  | { readonly do: 'skip'; readonly on: number; readonly at: number; readonly count: number }
  | { readonly do: 'snapshot' | 'drop'; readonly on: number }
  | { readonly do: 'commit' | 'rollback' };

interface Version {
  root: number;
  model: number[];
}

class ArrayPlayer {
  readonly #space = new ScratchSpace({ nrBlocks: 8192, cacheBlocks: 256 });
  readonly #things = new Map<number, number>();
  readonly #type: ReturnType<typeof countedType>;
  #array: PersistentArray<number>;
  #versions: Version[];
  #committed: { versions: Version[]; things: Map<number, number> } = { versions: [], things: new Map() };
  #values = 0;

  constructor(size: number) {
    this.#type = countedType(size, this.#things);
    this.#array = new PersistentArray(this.#space.tm, this.#type);
    this.#versions = [{ root: this.#array.empty(), model: [] }];
    this.#commit();
  }

  play(step: Step): void {
    this.#do(step);
    const things = new Map<number, number>();
    const counts = referenceCounts(
      this.#space,
      this.#versions.map(({ root }) => ({ root, leaf: (node) => blocks.push(...childrenOf(node)) })),
    );
    for (const b of blocks.splice(0)) this.#countBlock(b, counts, things);
    expect(counts).toEqual(this.#space.counts());
    expect(things).toEqual(this.#things);
    for (const { root, model } of this.#versions) {
      let next = 0;
      this.#array.walk(root, (index, value) => {
        if (index !== next++ || value !== model[index])
          throw new Error(`element ${index} is ${value}, not ${model[index]}`);
      });
      expect(next).toBe(model.length);
      const findings = [...checkArray(this.#space.tm, root, { valueSize: this.#type.size, length: model.length })];
      expect(findings).toEqual([]);
    }
    expect(this.#space.blockManager.nrLocked).toBe(0);
  }

  #countBlock(b: number, counts: Map<number, number>, things: Map<number, number>): void {
    counts.set(b, (counts.get(b) ?? 0) + 1);
    if (counts.get(b)! > 1) return;
    const { blockManager } = this.#space;
    const view = new ArrayBlockView(blockManager.slab, blockManager.read(b, ARRAY_VALIDATOR));
    for (let i = 0; i < view.nrEntries; i++) {
      const thing = this.#type.read(view.slab, view.valueAt(i));
      things.set(thing, (things.get(thing) ?? 0) + 1);
    }
  }

  #fresh(old: number | undefined): number {
    const value = this.#values++ % 5000;
    if (value !== old) this.#things.set(value, (this.#things.get(value) ?? 0) + 1);
    return value;
  }

  #do(step: Step): void {
    const version = this.#versions['on' in step ? step.on % this.#versions.length : 0]!;
    switch (step.do) {
      case 'set':
        for (let i = 0; i < step.count && version.model.length > 0; i++) {
          const index = (step.at + i * 37) % version.model.length;
          const value = this.#fresh(version.model[index]);
          version.root = this.#array.set(version.root, index, value);
          version.model[index] = value;
          expect(this.#array.get(version.root, index)).toBe(value);
        }
        break;
      case 'resize':
        this.#resize(version, step.length);
        break;
      case 'skip':
        this.#skip(version, step.at, step.count);
        break;
      case 'snapshot':
        if (this.#versions.length > 3) break;
        this.#space.tm.inc(version.root);
        this.#versions.push({ root: version.root, model: [...version.model] });
        break;
      case 'drop':
        if (this.#versions.length === 1) break;
        this.#versions = this.#versions.filter((other) => other !== version);
        this.#array.delete(version.root);
        break;
      case 'commit':
        this.#commit();
        break;
      case 'rollback':
        this.#space.reopen();
        this.#array = new PersistentArray(this.#space.tm, this.#type);
        this.#versions = this.#committed.versions.map(({ root, model }) => ({ root, model: [...model] }));
        this.#things.clear();
        for (const [thing, count] of this.#committed.things) this.#things.set(thing, count);
        break;
    }
  }

  /** The fill stays the caller's, so its own reference is counted only meanwhile. */
  #resize(version: Version, length: number): void {
    const fill = this.#values++ % 5000;
    this.#things.set(fill, (this.#things.get(fill) ?? 0) + 1);
    version.root = this.#array.resize(version.root, version.model.length, length, fill);
    const left = this.#things.get(fill)! - 1;
    if (left === 0) this.#things.delete(fill);
    else this.#things.set(fill, left);
    version.model = Array.from({ length }, (_, i) => version.model[i] ?? fill);
  }

  #skip({ root, model }: Version, at: number, count: number): void {
    const cursor = new ArrayCursor(this.#array, root);
    const first = model.length === 0 ? 0 : at % model.length;
    expect(cursor.seek(first) && cursor.value).toBe(model[first] ?? false);
    const there = cursor.valid && cursor.skip(count);
    expect(there && cursor.value).toBe(model[first + count] ?? false);
  }

  #commit(): void {
    this.#space.commit();
    const versions = this.#versions.map(({ root, model }) => ({ root, model: [...model] }));
    this.#committed = { versions, things: new Map(this.#things) };
  }
}

const blocks: number[] = [];

function childrenOf(node: {
  nrEntries: number;
  valueAt(i: number): number;
  slab: Parameters<typeof readU64>[0];
}): number[] {
  return Array.from({ length: node.nrEntries }, (_, i) => readU64(node.slab, node.valueAt(i)));
}

const on = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('set' as const), on, at: fc.nat(5000), count: fc.nat(20) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('resize' as const),
      on,
      length: fc.oneof(fc.nat(2100), fc.constantFrom(0, 509, 1018, 1527)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('skip' as const), on, at: fc.nat(5000), count: fc.nat(1500) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('snapshot' as const, 'drop' as const), on }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('commit' as const, 'rollback' as const) }) },
);

test.each([4, 8, 12, 500])('elements of %i bytes that are counted', { timeout: 120_000 }, (size) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (life) => {
      const player = new ArrayPlayer(size);
      for (const each of life) player.play(each);
    }),
    replay('model', 5),
  );
});
