import { expect, test } from 'vitest';
import { queryExtents } from './block-status.ts';
import type { ExtentSink, NbdExport } from './export.ts';

function served(blockStatus: (add: ExtentSink) => void | Promise<void>): NbdExport {
  return { size: 1e12, readOnly: true, read() {}, flush() {}, blockStatus: (_c, _o, _l, add) => blockStatus(add) };
}
const ask = (source: NbdExport, length: number, one = false) =>
  queryExtents(source, 'base:allocation', { offset: 0, length, one });

test('neighbours are merged, and what goes past the range is cut off', () => {
  const source = served((add) => {
    for (const [length, flags] of [
      [10, 0],
      [10, 0],
      [5, 3],
      [100, 0],
    ] as const)
      if (!add(length, flags)) return;
  });
  expect(ask(source, 50)).toEqual([20, 0, 5, 3, 25, 0]);
  expect(ask(source, 5)).toEqual([5, 0]);
  expect(ask(source, 50, true)).toEqual([20, 0]);
});

test('long answers and much work are cut short', () => {
  let nrCalls = 0;
  const alternating = served((add) => {
    nrCalls = 0;
    while (add(1, nrCalls % 2)) nrCalls += 1;
  });
  expect((ask(alternating, 1e9) as number[]).length).toBe(2 * 8192);
  const same = served((add) => {
    nrCalls = 0;
    do nrCalls += 1;
    while (add(1, 0));
  });
  expect(ask(same, 1e9)).toEqual([65536, 0]);
  expect(nrCalls).toBe(65536);
  expect(ask(same, 1e9, true)).toEqual([65536, 0]);
});

test('nothing told is an error, at once and later; an extent of no length ends the answer', async () => {
  expect(() =>
    ask(
      served(() => {}),
      10,
    ),
  ).toThrow('no extents');
  expect(() =>
    ask(
      served((add) => void add(0, 0)),
      10,
    ),
  ).toThrow('no extents');
  await expect(
    ask(
      served(async () => {}),
      10,
    ),
  ).rejects.toMatchObject({ errno: 'EIO' });
  await expect(
    ask(
      served(async (add) => void add(7, 1)),
      10,
    ),
  ).resolves.toEqual([7, 1]);
});
