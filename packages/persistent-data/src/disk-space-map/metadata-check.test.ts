import { expect, test } from 'vitest';
import { AssertionError, CorruptionError, type Finding, Slab, StateError } from '../base/index.ts';
import { METADATA_BLOCK_SIZE, THIN_MAGIC, THIN_SUPERBLOCK, THIN_SUPERBLOCK_VALIDATOR } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { beginCheck, CheckTally, changeSuperblock, readSuperblock } from './metadata-check.ts';

const FLAGS = THIN_SUPERBLOCK.word('flags');
const SUPERBLOCK = {
  validator: THIN_SUPERBLOCK_VALIDATOR,
  code: 'thin.superblock',
  read: (slab: Slab, base: number) => slab.words[base + FLAGS]!,
};

function deviceWith(flags: number): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 8 });
  const slab = Slab.ofSize(METADATA_BLOCK_SIZE);
  slab.words[THIN_SUPERBLOCK.word('magic')] = THIN_MAGIC;
  slab.words[FLAGS] = flags;
  THIN_SUPERBLOCK_VALIDATOR.seal(slab, 0, 0);
  device.write(0, [slab.bytes]);
  return device;
}

/** What a generator yields, and what it answers. */
function outcome<R>(generator: Generator<Finding, R>): { codes: string[]; answer: R } {
  const codes: string[] = [];
  for (;;) {
    const next = generator.next();
    if (next.done) return { codes, answer: next.value };
    codes.push(`${next.value.code} ${next.value.block}: ${next.value.message}`);
  }
}

test('a superblock is read, or it is said why not', () => {
  const device = deviceWith(5);
  expect(outcome(readSuperblock(device, 0, SUPERBLOCK))).toEqual({ codes: [], answer: 5 });
  const elsewhere = outcome(readSuperblock(device, 3, SUPERBLOCK));
  expect(elsewhere.codes).toEqual([expect.stringMatching(/^thin\.superblock 3: .*thin_superblock block 3/)]);
  expect(elsewhere.answer).toBeUndefined();
  expect(outcome(readSuperblock(device, 8, SUPERBLOCK)).codes).toEqual([
    'thin.superblock 8: Cannot read thin_superblock block 8: the device has 8 blocks',
  ]);
});

test('a superblock is changed in place, if it can be believed', () => {
  const device = deviceWith(5);
  changeSuperblock(device, SUPERBLOCK, (slab, base) => {
    slab.words[base + FLAGS] = 4;
  });
  expect(outcome(readSuperblock(device, 0, SUPERBLOCK)).answer).toBe(4);
  device.write(0, [new Uint8Array(METADATA_BLOCK_SIZE)]);
  expect(() => changeSuperblock(device, SUPERBLOCK, () => undefined)).toThrow(CorruptionError);
});

test('progress goes up to what the superblock says is allocated, and not beyond', () => {
  const told: number[][] = [];
  const root = { nrBlocks: 8, nrAllocated: 2, bitmapRoot: 0, refCountRoot: 0 };
  const checker = beginCheck(deviceWith(0), SUPERBLOCK, root, { onProgress: (...at) => told.push(at) });
  expect(checker.counts.count(0)).toBe(1);
  checker.load([1], 1);
  checker.load([2, 3], 2);
  expect(told).toEqual([
    [1, 2],
    [2, 2],
  ]);
});

test('a repair wants a check that came to its end, looked at all, and found nothing fatal', () => {
  const leak: Finding = { severity: 'leak', code: 'space-map.leak', message: '' };
  const tally = new CheckTally();
  const counting = tally.count([leak, leak]);
  counting.next();
  expect(() => tally.refuseRepair(true)).toThrow('Cannot repair: the check did not come to its end');
  expect([...counting]).toEqual([leak]);
  expect(tally.nrLeaks).toBe(2);
  expect(() => tally.refuseRepair(true)).not.toThrow();
  expect(() => tally.refuseRepair(false)).toThrow(StateError);
  expect(() => [...tally.count([])]).toThrow(AssertionError);
  const fatal = new CheckTally();
  expect([...fatal.count([leak, { ...leak, severity: 'fatal' }])]).toHaveLength(2);
  expect(() => fatal.refuseRepair(true)).toThrow('Cannot repair: the check found 1 fatal errors');
});
