import { expect, test } from 'vitest';
import { NbdError } from './nbd-error.ts';
import { TurnQueue } from './turn-queue.ts';

const turn = () => new Promise<void>((done) => setImmediate(done));

test('one step in each turn, task by task, in order', async () => {
  const queue = new TurnQueue();
  const log: string[] = [];
  const task = (name: string, count: number) => {
    let nr = 0;
    const step = () => {
      log.push(`${name}${nr++}`);
      // Every other one is to be waited for.
      return nr % 2 === 0 ? turn() : undefined;
    };
    return queue.run(step, () => nr === count).then(() => log.push(`${name}.`));
  };
  const tasks = [task('a', 3), task('b', 1)];
  expect(log).toEqual([]);
  await turn();
  expect(log).toEqual(['a0']);
  await Promise.all(tasks);
  await task('c', 2);
  expect(log).toEqual(['a0', 'a1', 'a2', 'a.', 'b0', 'b.', 'c0', 'c1', 'c.']);
});

test('a step that fails ends its task alone', async () => {
  const queue = new TurnQueue();
  const thrown = queue.run(
    () => {
      throw new Error('one');
    },
    () => false,
  );
  const rejected = queue.run(
    () => Promise.reject(new Error('two')),
    () => false,
  );
  const done = queue.run(
    () => undefined,
    () => true,
  );
  await expect(thrown).rejects.toThrow('one');
  await expect(rejected).rejects.toThrow('two');
  await expect(done).resolves.toBeUndefined();
});

test('when it is stopped, no further step is begun, and one that is waited for is waited for', async () => {
  for (const isWaiting of [false, true]) {
    const queue = new TurnQueue();
    let nrSteps = 0;
    let end = (): void => undefined;
    const step = () => {
      nrSteps++;
      return isWaiting ? new Promise<void>((done) => (end = done)) : undefined;
    };
    const errors: unknown[] = [];
    const first = queue.run(step, () => false).catch((error: unknown) => errors.push('first', error));
    const second = queue.run(step, () => false).catch((error: unknown) => errors.push('second', error));
    await turn();
    queue.stop();
    await turn();
    await turn();
    expect(nrSteps).toBe(1);
    expect(errors.includes('first')).toBe(!isWaiting);
    end();
    await Promise.all([first, second]);
    expect(nrSteps).toBe(1);
    expect(errors.filter((each) => each instanceof NbdError && each.errno === 'ESHUTDOWN')).toHaveLength(2);
  }
});
