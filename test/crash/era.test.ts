/**
 * An era device's disk loses power at any moment: every block whose mark was acknowledged, so that its data may have been written, is told as of
 * that era or a later one. And metadata on a disk that forgets a flush is caught.
 */

import { expect, test } from 'vitest';
import { playEraCrash } from './era-crash.ts';

const seeds = process.env.PDATA_SEED ? [Number(process.env.PDATA_SEED)] : [1, 2, 3, 4];

test.each(seeds)(
  'no write is forgotten by a crash (npm run test:crash -- --seed %d)',
  (seed) => {
    const { failure, nrStates } = playEraCrash({ seed });
    expect(failure).toBeUndefined();
    expect(nrStates).toBeGreaterThan(100);
  },
  60_000,
);

test('the same at every write', () => {
  expect(playEraCrash({ seed: 50, nrSteps: 15, everyWrites: 1 }).failure).toBeUndefined();
}, 60_000);

test('negative control: a dropped flush is caught', () => {
  const caught = [6, 9, 14, 21, 30, 41].filter(
    (index) => playEraCrash({ seed: index, dropFlush: (i) => i === index }).failure,
  );
  expect(caught.length).toBeGreaterThan(2);
}, 60_000);
