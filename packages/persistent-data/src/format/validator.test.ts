import { describe, expect, test } from 'vitest';
import { CorruptionError, Slab } from '../base/index.ts';
import { ARRAY_VALIDATOR } from './array-block.ts';
import { BITMAP_VALIDATOR } from './bitmap.ts';
import { NODE_VALIDATOR } from './btree-node.ts';
import { METADATA_INDEX_VALIDATOR } from './index-block.ts';
import { THIN_SUPERBLOCK_VALIDATOR } from './thin-superblock.ts';
import { type BlockValidator, blockValidator } from './validator.ts';

/** What `check` throws, as its place. */
function refusal(validator: BlockValidator, slab: Slab, blocknr: number, base = 0): CorruptionError | undefined {
  try {
    validator.check(slab, base, blocknr);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(CorruptionError);
    return error as CorruptionError;
  }
}

const validators: [BlockValidator, number, (slab: Slab) => void][] = [
  [NODE_VALIDATOR, 8, (slab) => slab.words.set([2, 0, 0, 0, 252, 8], 1)],
  [ARRAY_VALIDATOR, 16, (slab) => slab.words.set([509, 0, 8], 1)],
  [BITMAP_VALIDATOR, 8, () => {}],
  [METADATA_INDEX_VALIDATOR, 8, () => {}],
  [
    THIN_SUPERBLOCK_VALIDATOR,
    8,
    (slab) => {
      slab.words[8] = 27022010;
    },
  ],
];

describe.each(validators.map(([validator, at, fill]) => ({ kind: validator.kind, validator, at, fill })))(
  'the validator of $kind',
  ({ kind, validator, at, fill }) => {
    const sealed = (blocknr: number): Slab => {
      const slab = Slab.ofSize(2 * 4096);
      fill(slab);
      slab.bytes[4000] = 17;
      slab.words.copyWithin(1024, 0, 1024);
      validator.seal(slab, 1024, blocknr);
      return slab;
    };

    test('believes what it has sealed, and writes the number where the format has it', () => {
      for (const blocknr of [0, 5, 2 ** 31 - 1, 2 ** 40 + 3]) {
        const slab = sealed(blocknr);
        expect(refusal(validator, slab, blocknr, 1024)).toBeUndefined();
        expect(Number(slab.view.getBigUint64(4096 + at, true))).toBe(blocknr);
        expect(slab.bytes[0], 'the neighbour is not touched').toBe(0);
      }
    });

    test('refuses a block of another place', () => {
      const error = refusal(validator, sealed(5), 6, 1024);
      expect(error).toMatchObject({ block: 6, kind, field: 'blocknr', found: 5, expected: '6' });
      expect(error?.message).toBe(`Cannot read ${kind} block 6: blocknr is 5, 6 is wanted`);
    });

    test('refuses any changed bit by its checksum', () => {
      for (const offset of [28, 100, 4000, 4095]) {
        const slab = sealed(5);
        const stored = slab.words[1024]!;
        slab.bytes[4096 + offset]! ^= 4;
        const error = refusal(validator, slab, 5, 1024);
        expect(error).toMatchObject({ block: 5, kind, field: 'csum', found: stored });
        expect(error?.message).toMatch(new RegExp(`^Cannot read ${kind} block 5: csum is ${stored}, \\d+ is wanted$`));
      }
    });

    test('refuses every other kind', () => {
      for (const [other] of validators) {
        if (other === validator) continue;
        // The same bytes, sealed as another kind: the salts differ.
        const slab = sealed(5);
        other.seal(slab, 1024, 5);
        const error = refusal(validator, slab, 5, 1024);
        expect(['csum', 'blocknr', 'magic']).toContain(error?.field);
      }
    });
  },
);

test('a block is checked in the order: number, magic, checksum, fields', () => {
  const order: string[] = [];
  const validator = blockValidator({
    kind: 'sample',
    salt: 1,
    blocknrWord: 2,
    checkMagic: (slab, base) => {
      order.push('magic');
      return slab.words[base + 8] === 7 ? undefined : { field: 'magic', found: slab.words[base + 8]!, wanted: '7' };
    },
    checkFields: (slab, base) => {
      order.push('fields');
      return slab.words[base + 9] === 0 ? undefined : { field: 'nine', found: slab.words[base + 9]!, wanted: 'zero' };
    },
  });
  const slab = Slab.ofSize(4096);
  slab.words[2] = 4;
  slab.words[9] = 3;
  expect(refusal(validator, slab, 5)).toMatchObject({ field: 'blocknr' });
  expect(order).toEqual([]);
  slab.words[2] = 5;
  expect(refusal(validator, slab, 5)).toMatchObject({ field: 'magic', found: 0, expected: '7' });
  slab.words[8] = 7;
  expect(refusal(validator, slab, 5)).toMatchObject({ field: 'csum' });
  expect(order).toEqual(['magic', 'magic']);
  validator.seal(slab, 0, 5);
  const error = refusal(validator, slab, 5);
  expect(error).toMatchObject({ block: 5, kind: 'sample', field: 'nine', found: 3, expected: 'zero' });
  expect(error?.message).toBe('Cannot read sample block 5: nine is 3, zero is wanted');
  expect(order).toEqual(['magic', 'magic', 'magic', 'fields']);
});
