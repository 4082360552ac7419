import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { nrCommands, replay, timeLimit } from './replay.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const even = fc.property(fc.nat(), (n) => n % 2 === 0);

test('a random test that fails prints the line that replays it', () => {
  vi.stubEnv('PDATA_SEED', '42');
  vi.stubEnv('PDATA_PATH', '');
  expect(() => fc.assert(even, replay('model'))).toThrow(/Replay: npm run test:model -- --seed 42 --path [\d:]+$/);
});

test('the number of runs comes from the command line', () => {
  vi.stubEnv('PDATA_RUNS', '7');
  let nrRuns = 0;
  const count = fc.property(fc.nat(), () => {
    nrRuns += 1;
  });
  fc.assert(count, replay('property', 50));
  expect(nrRuns).toBe(7);
});

test('the number of commands comes from the command line, and goes into the replay line', () => {
  expect([nrCommands(200), timeLimit(5000)]).toEqual([200, 20_000]);
  vi.stubEnv('PDATA_COMMANDS', '1000');
  expect([nrCommands(200), timeLimit(5000)]).toEqual([1000, 0]);
  expect(() => fc.assert(even, replay('model'))).toThrow(/--commands 1000$/);
});
