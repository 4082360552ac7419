/**
 * Pools with defs of all sizes, shared in all ways, restored and dumped: every mapping is where it was, our check finds nothing, and the second
 * dump is the last word.
 */

import fc from 'fast-check';
import { MemoryDevice } from 'persistent-data/io';
import { checkThin, dumpThin, ThinRestore, type ThinVisitor } from 'persistent-data/thin';
import { describe, expect, test } from 'vitest';
import { replay } from '../replay.ts';

const NR_METADATA_BLOCKS = 2048;
const NR_DATA_BLOCKS = 100_000;

/** A stretch of virtual blocks that devices may share as a def. */
interface Stretch {
  readonly length: number;
  /** Virtual blocks left out behind it. */
  readonly gap: number;
  /** Whether its data blocks go backwards, so that each mapping is a run of its own. */
  readonly isFragmented: boolean;
}

/** What a device has of each stretch. */
type Share = 'nothing' | 'ref' | 'own';

const stretch: fc.Arbitrary<Stretch> = fc.record({
  // Around what a leaf holds at least (84) and at most (252), and a few.
  length: fc.oneof(
    fc.integer({ min: 1, max: 10 }),
    fc.integer({ min: 80, max: 90 }),
    fc.integer({ min: 200, max: 800 }),
  ),
  gap: fc.integer({ min: 0, max: 2 }),
  isFragmented: fc.boolean(),
});
const pool = fc
  .record({
    stretches: fc.array(stretch, { minLength: 1, maxLength: 8 }),
    nrDevices: fc.integer({ min: 1, max: 5 }),
  })
  .chain(({ stretches, nrDevices }) =>
    fc.record({
      stretches: fc.constant(stretches),
      devices: fc.array(
        fc.array(fc.constantFrom<Share>('nothing', 'ref', 'ref', 'own'), {
          minLength: stretches.length,
          maxLength: stretches.length,
        }),
        { minLength: nrDevices, maxLength: nrDevices },
      ),
    }),
  );

type Pool = { readonly stretches: readonly Stretch[]; readonly devices: readonly (readonly Share[])[] };

/** Tells a visitor of a pool. */
function produce({ stretches, devices }: Pool, visitor: ThinVisitor): void {
  let data = 0;
  const begins: number[] = [];
  let origin = 0;
  for (const { length, gap } of stretches) {
    begins.push(origin);
    origin += length + gap;
  }
  const map = (index: number): void => {
    const { length, isFragmented } = stretches[index]!;
    const begin = begins[index]!;
    if (isFragmented) for (let i = 0; i < length; i++) visitor.map(begin + i, data + length - 1 - i, 1, index);
    else visitor.map(begin, data, length, index);
    data += length;
  };
  visitor.superblockBegin({ uuid: '', time: 9, transaction: 5, dataBlockSize: 128, nrDataBlocks: NR_DATA_BLOCKS });
  for (const index of stretches.keys()) {
    visitor.defBegin(`def ${index}`);
    map(index);
    visitor.defEnd();
  }
  for (const [devId, shares] of devices.entries()) {
    const mappedBlocks = shares.reduce((sum, share, i) => sum + (share === 'nothing' ? 0 : stretches[i]!.length), 0);
    visitor.deviceBegin({ devId, mappedBlocks, transaction: 0, creationTime: 0, snapTime: 9 });
    for (const [index, share] of shares.entries()) {
      if (share === 'ref') visitor.ref(`def ${index}`);
      if (share === 'own') map(index);
    }
    visitor.deviceEnd();
  }
  visitor.superblockEnd();
}

/** All mappings of all devices, refs resolved, and the names of defs as they came. */
class Contents implements ThinVisitor {
  readonly devices: string[] = [];
  readonly words: string[] = [];
  readonly #defs = new Map<string, string[]>();
  #open: string[] = [];
  #name = '';
  superblockBegin(): void {}
  superblockEnd(): void {}
  defBegin(name: string): void {
    this.#name = name;
    this.#open = [];
    this.words.push(`def ${name}`);
  }
  defEnd(): void {
    this.#defs.set(this.#name, this.#open);
  }
  deviceBegin({ devId }: { readonly devId: number }): void {
    this.#open = [`device ${devId}`];
    this.words.push(`device ${devId}`);
  }
  deviceEnd(): void {
    this.devices.push(this.#open.join(' '));
  }
  map(origin: number, data: number, length: number, time: number): void {
    for (let i = 0; i < length; i++) this.#open.push(`${origin + i}:${data + i}:${time}`);
    this.words.push(`${origin}:${data}:${length}:${time}`);
  }
  ref(name: string): void {
    this.#open.push(...this.#defs.get(name)!);
    this.words.push(`ref ${name}`);
  }
}

function restored(tell: (visitor: ThinVisitor) => void): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: NR_METADATA_BLOCKS });
  tell(new ThinRestore(device, { cacheBlocks: 32 }));
  expect([...checkThin(device)]).toEqual([]);
  return device;
}

function contents(tell: (visitor: ThinVisitor) => void): Contents {
  const visitor = new Contents();
  tell(visitor);
  return visitor;
}

describe('restore, dump, restore, dump', () => {
  test('keeps every mapping, and from the second dump on every word', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(pool, (made) => {
        const first = restored((visitor) => produce(made, visitor));
        const dump = contents((visitor) => dumpThin(first, visitor));
        expect(dump.devices).toEqual(contents((visitor) => produce(made, visitor)).devices);
        const second = restored((visitor) => dumpThin(first, visitor));
        const third = restored((visitor) => dumpThin(second, visitor));
        const again = contents((visitor) => dumpThin(second, visitor));
        expect(again.devices).toEqual(dump.devices);
        expect(contents((visitor) => dumpThin(third, visitor)).words).toEqual(again.words);
      }),
      replay('property', 60),
    );
  });
});
