/** A bitset against a plain list of bits: the word in core, ranges, searches, resizes, commits and rollbacks. */

import fc from 'fast-check';
import { Bitset, BitsetCursor, checkBitset } from 'persistent-data/bitset';
import { expect, test } from 'vitest';
import { replay } from '../replay.ts';
import { ScratchSpace } from '../structures/scratch-space.ts';

type Step =
  | { readonly do: 'set' | 'clear' | 'test'; readonly at: number }
  | { readonly do: 'setRange' | 'clearRange' | 'look'; readonly at: number; readonly length: number }
  | { readonly do: 'resize'; readonly length: number; readonly value: boolean }
  | { readonly do: 'commit' | 'rollback' };

/** Bits in an array block. */
const PER_BLOCK = 509 * 64;

class BitsetPlayer {
  readonly #space = new ScratchSpace({ nrBlocks: 512, cacheBlocks: 64 });
  #bits = Bitset.create(this.#space.tm, 0);
  #model: boolean[] = [];
  #committed = { root: this.#bits.flush(), model: this.#model };

  constructor() {
    this.#space.commit();
  }

  play(step: Step): void {
    this.#do(step);
    const length = this.#model.length;
    expect(this.#bits.count(0, length)).toBe(this.#model.filter((bit) => bit).length);
    expect([...checkBitset(this.#space.tm, this.#bits.flush(), { length })]).toEqual([]);
    expect(this.#space.blockManager.nrLocked).toBe(0);
  }

  #do(step: Step): void {
    const model = this.#model;
    const at = 'at' in step && model.length > 0 ? step.at % model.length : 0;
    const end = 'length' in step ? Math.min(at + step.length, model.length) : at;
    if (model.length === 0 && 'at' in step) return;
    switch (step.do) {
      case 'test':
        expect(this.#bits.test(at)).toBe(model[at]);
        break;
      case 'set':
      case 'clear':
        // Neighbours too, which may lie in the next word.
        for (let i = at; i < Math.min(at + 3, model.length); i++) {
          this.#bits[step.do](i);
          model[i] = step.do === 'set';
        }
        break;
      case 'setRange':
      case 'clearRange':
        this.#bits[step.do](at, end);
        model.fill(step.do === 'setRange', at, end);
        break;
      case 'look':
        this.#look(at, end);
        break;
      case 'resize':
        this.#resize(step.length, step.value);
        break;
      case 'commit':
        this.#committed = { root: this.#bits.flush(), model: [...model] };
        this.#space.commit();
        break;
      case 'rollback':
        this.#space.reopen();
        this.#bits = new Bitset(this.#space.tm, this.#committed.root);
        this.#model = [...this.#committed.model];
        break;
    }
  }

  #look(at: number, end: number): void {
    const model = this.#model;
    const upTo = model.slice(0, end);
    expect(this.#bits.nextSet(at, end)).toBe(at >= end ? -1 : upTo.indexOf(true, at));
    expect(this.#bits.nextClear(at, end)).toBe(at >= end ? -1 : upTo.indexOf(false, at));
    const cursor = new BitsetCursor(this.#space.tm, this.#bits.flush(), model.length);
    expect(cursor.seek(at) && cursor.value).toBe(model[at]);
    const there = cursor.skip(end - at);
    expect(there && cursor.value).toBe(end < model.length && model[end]);
  }

  #resize(length: number, value: boolean): void {
    const old = this.#model.length;
    this.#bits.resize(old, length, value);
    // What lies behind the old end in its last word is the owner's affair.
    const fresh = Math.min(Math.ceil(old / 64) * 64, length);
    if (value && fresh > old) this.#bits.setRange(old, fresh);
    if (!value && fresh > old) this.#bits.clearRange(old, fresh);
    this.#model = Array.from({ length }, (_, i) => this.#model[i] ?? value);
  }
}

const at = fc.nat(100_000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('set' as const, 'clear' as const, 'test' as const), at }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('setRange' as const, 'clearRange' as const, 'look' as const),
      at,
      length: fc.oneof(fc.nat(200), fc.nat(70_000)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('resize' as const),
      length: fc.oneof(fc.nat(500), fc.nat(70_000), fc.constantFrom(PER_BLOCK - 1, PER_BLOCK, PER_BLOCK + 1)),
      value: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('commit' as const, 'rollback' as const) }) },
);

test('lives of a bitset', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (life) => {
      const player = new BitsetPlayer();
      for (const each of life) player.play(each);
    }),
    replay('model', 15),
  );
});
