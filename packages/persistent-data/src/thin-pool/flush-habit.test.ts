import { expect, test } from 'vitest';
import { FlushHabit } from './flush-habit.ts';

/** Writes and flushes so often. Answers for each flush whether it was to be waited for. */
function flushes(habit: FlushHabit, count: number, { transfers = 1, length = 4096, ms = 0.2 } = {}): boolean[] {
  return Array.from({ length: count }, () => {
    for (let i = 0; i < transfers; i++) habit.transfer(length);
    const isWaitedFor = habit.begin();
    habit.end(ms);
    return isWaitedFor;
  });
}

test('flushes of one who is alone are waited for, from the fourth on', () => {
  expect(flushes(new FlushHabit(), 5)).toEqual([false, false, false, true, true]);
  expect(flushes(new FlushHabit(), 5, { transfers: 0 })).toEqual([false, false, false, true, true]);
});

test('somebody else, a long transfer or a slow flush ends that', () => {
  for (const other of [{ transfers: 2 }, { length: 65_537 }]) {
    const habit = new FlushHabit();
    expect(flushes(habit, 4)).toEqual([false, false, false, true]);
    expect(flushes(habit, 1, other)).toEqual([false]);
    expect(flushes(habit, 4)).toEqual([false, false, false, true]);
  }
  const habit = new FlushHabit();
  flushes(habit, 4, { ms: 2.1 });
  expect(flushes(habit, 2)).toEqual([false, true]);
});

test('many who share flushes are never kept waiting, also when one comes before the others', () => {
  const habit = new FlushHabit();
  for (let i = 0; i < 10; i++) {
    expect(flushes(habit, 1)).toEqual([false]);
    expect(flushes(habit, 1, { transfers: 15 })).toEqual([false]);
  }
});
