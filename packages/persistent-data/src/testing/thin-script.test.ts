import { expect, test } from 'vitest';
import { Random } from './random.ts';
import { randomThinScript, shrinkScript } from './thin-script.ts';

test('`randomThinScript()` draws the same for the same seed, and has all kinds of steps', () => {
  const shape = { nrSteps: 2000, maxDataBlocks: 100, maxMetadataBlocks: 100 };
  const script = randomThinScript(new Random(1), shape);
  expect(script).toEqual(randomThinScript(new Random(1), shape));
  expect(script).toHaveLength(2000);
  expect(new Set(script.map(([verb]) => verb)).size).toBe(20);
});

test('`randomThinScript()` keeps to weights, and does not resize without bounds', () => {
  const script = randomThinScript(new Random(2), { nrSteps: 500, weights: { create: 0, hold: 50 } });
  const verbs = new Set(script.map(([verb]) => verb));
  expect(['create', 'growData', 'shrinkMetadata'].filter((verb) => verbs.has(verb as 'create'))).toEqual([]);
  expect(verbs).toContain('hold');
});

test('`shrinkScript()` finds the steps that matter', async () => {
  const script = Array.from({ length: 100 }, (_, i) => i);
  const fails = async (steps: readonly number[]) => steps.includes(17) && steps.includes(80);
  expect(await shrinkScript(script, fails)).toEqual([17, 80]);
  let nrTries = 0;
  const counted = async (steps: readonly number[]) => {
    nrTries += 1;
    return await fails(steps);
  };
  expect((await shrinkScript(script, counted, 5)).length).toBeGreaterThan(2);
  expect(nrTries).toBe(5);
});
