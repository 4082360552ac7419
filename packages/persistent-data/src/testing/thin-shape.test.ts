import { expect, test } from 'vitest';
import { checkThin, ThinMetadata } from '../thin/index.ts';
import { auditThin } from './thin-audit.ts';
import { makeThinPool, type ThinShape } from './thin-shape.ts';

const SHAPE: ThinShape = {
  nrMetadataBlocks: 200,
  devices: [
    { id: 1, nrMapped: 900, runLength: 3 },
    { id: 2, origin: 1, nrMapped: 20 },
    { id: 7, nrMapped: 40 },
  ],
};

/** Runs of mappings of a device: virtual begin, end, data begin. */
function runsOf(shape: ThinShape, id: number): number[][] {
  const thin = ThinMetadata.open(makeThinPool(shape)).openThin(id);
  const runs: number[][] = [];
  for (let begin = 0; ; ) {
    const run = thin.findMappedRange(begin, Number.MAX_SAFE_INTEGER);
    if (run === undefined) return runs;
    runs.push([run.begin, run.end, run.dataBegin]);
    begin = run.end;
  }
}

test.each([
  ['one after the other', {}],
  ['by turns', { interleaved: true }],
  ['with a metadata snapshot', { metadataSnapshot: true }],
])('`makeThinPool()` makes a sound pool, %s', (_, more) => {
  const device = makeThinPool({ ...SHAPE, ...more });
  expect([...checkThin(device)]).toEqual([]);
  const { problems, pool, nodes } = auditThin(device);
  expect(problems).toEqual([]);
  expect(pool?.devices.map(({ id, mappedBlocks }) => [id, mappedBlocks])).toEqual([
    [1, 900],
    // Of its own blocks every second run of three is one of the origin's.
    [2, 909],
    [7, 40],
  ]);
  // Depth: a root above its leaves.
  expect(nodes.get('mappings')?.length).toBeGreaterThan(4);
  expect(Buffer.compare(makeThinPool({ ...SHAPE, ...more }).toBytes(), device.toBytes())).toBe(0);
});

test('`makeThinPool()` fragments devices and data as it is told', () => {
  expect(runsOf(SHAPE, 1).slice(0, 3)).toEqual([
    [0, 3, 0],
    [6, 9, 3],
    [12, 15, 6],
  ]);
  expect(runsOf(SHAPE, 7)).toEqual([[0, 40, 920]]);
  // Devices 1 and 7 by turns; of 7 no two data blocks are neighbours.
  expect(runsOf({ ...SHAPE, interleaved: true }, 7).slice(0, 2)).toEqual([
    [0, 1, 1],
    [1, 2, 3],
  ]);
});
