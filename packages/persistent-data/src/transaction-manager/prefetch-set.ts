import type { BlockManager } from '../block-manager/index.ts';
import type { BlockValidator } from '../format/index.ts';

const NR_SLOTS = 128;

/** Blocks that somebody wanted and could not wait for: at most 128, and a request whose place is taken is forgotten. */
export class PrefetchSet {
  readonly #blocks = new Float64Array(NR_SLOTS).fill(-1);
  readonly #validators: (BlockValidator | undefined)[] = new Array(NR_SLOTS).fill(undefined);

  add(b: number, validator: BlockValidator): void {
    const slot = (Math.imul(b, 0x9e37_79b1) >>> 25) % NR_SLOTS;
    if (this.#validators[slot] !== undefined) return;
    this.#blocks[slot] = b;
    this.#validators[slot] = validator;
  }

  /** Reads all of them into the cache and empties the set. */
  issue(blockManager: BlockManager): void {
    const byValidator = new Map<BlockValidator, number[]>();
    this.#validators.forEach((validator, slot) => {
      if (validator === undefined) return;
      const blocks = byValidator.get(validator);
      if (blocks) blocks.push(this.#blocks[slot]!);
      else byValidator.set(validator, [this.#blocks[slot]!]);
      this.#validators[slot] = undefined;
    });
    for (const [validator, blocks] of byValidator) blockManager.prefetch(blocks, validator);
  }
}
