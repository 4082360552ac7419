import { expect, test } from 'vitest';
import { InterruptedError } from './interrupted-error.ts';
import { Interruption, interruptible } from './interruption.ts';

test('a signal makes `check()` throw, as long as it is watched', async () => {
  const before = process.listenerCount('SIGINT');
  const interruption = await Interruption.watch();
  interruption.check();
  process.emit('SIGINT');
  expect(() => interruption.check()).toThrow(InterruptedError);
  interruption.end();
  expect(process.listenerCount('SIGINT')).toBe(before);
});

test('`interruptible()` answers what the work does, and lets its errors through', () => {
  expect(interruptible(() => 7)).toBe(7);
  const error = new RangeError('of the work');
  expect(() =>
    interruptible(() => {
      throw error;
    }),
  ).toThrow(error);
});

// A handler that was made within the script took the signal, which was forgotten with the handler when the script was over: a restore went on.
test('a signal in the first stretch of work that waits is not lost', async () => {
  let watching: Promise<Interruption> | undefined;
  let hasGoneOn = false;
  const begin = async (): Promise<void> => {
    watching = Interruption.watch();
    process.kill(process.pid, 'SIGINT');
    // Until the signal is there. Without it this ends, too late.
    for (const until = performance.now() + 5000; performance.now() < until; );
    await watching;
    hasGoneOn = true;
  };
  expect(() => interruptible(begin)).toThrow(InterruptedError);
  (await watching)?.end();
  expect(hasGoneOn).toBe(false);
});

test('what never comes is waited for until a signal comes', async () => {
  const interruption = await Interruption.watch();
  expect(await interruption.race(Promise.resolve(7))).toBe(7);
  await expect(interruption.race(Promise.reject(new RangeError('of the work')))).rejects.toThrow('of the work');
  const waiting = interruption.race(new Promise(() => undefined));
  process.emit('SIGINT');
  await expect(waiting).rejects.toThrow(InterruptedError);
  await expect(interruption.race(Promise.resolve(7))).rejects.toThrow(InterruptedError);
  interruption.end();
});

test('a stream ends at a signal, whether it is busy or stuck, and tidies up', async () => {
  for (const isBusy of [true, false]) {
    const interruption = await Interruption.watch();
    let isTidy = false;
    const endless = async function* (): AsyncGenerator<number> {
      try {
        // Never waits for anything.
        for (let i = 0; isBusy || i < 10; i++) yield i;
        await new Promise(() => undefined);
      } finally {
        isTidy = true;
      }
    };
    setTimeout(() => process.kill(process.pid, 'SIGINT'), 10);
    const drain = async (): Promise<void> => {
      for await (const _ of interruption.watched(endless(), { mayStick: !isBusy }));
    };
    await expect(drain()).rejects.toThrow(InterruptedError);
    expect(isTidy).toBe(isBusy);
    interruption.end();
  }
});
