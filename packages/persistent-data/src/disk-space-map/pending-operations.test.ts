import { describe, expect, test } from 'vitest';
import { AssertionError } from '../base/index.ts';
import { PendingOperations } from './pending-operations.ts';

test('operations come out in the order in which they went in', () => {
  const pending = new PendingOperations();
  expect(pending.isEmpty).toBe(true);
  pending.push(1, 5, 6);
  pending.push(-1, 5, 6);
  pending.push(1, 7, 9);
  const order: unknown[] = [];
  while (!pending.isEmpty) {
    order.push(pending.peek());
    // What comes up while one is applied goes to the end.
    if (order.length === 2) pending.push(-1, 8, 9);
    pending.pop();
  }
  expect(order).toEqual([
    { delta: 1, begin: 5, end: 6 },
    { delta: -1, begin: 5, end: 6 },
    { delta: 1, begin: 7, end: 9 },
    { delta: -1, begin: 8, end: 9 },
  ]);
});

test('an operation counts until it is popped, which is after it was applied', () => {
  const pending = new PendingOperations();
  pending.push(1, 5, 8);
  pending.push(1, 7, 9);
  pending.push(-1, 5, 6);
  const adjustments = () => [4, 5, 6, 7, 8, 9].map((b) => pending.adjustment(b));
  expect(adjustments()).toEqual([0, 0, 1, 2, 1, 0]);
  pending.peek();
  expect(adjustments()).toEqual([0, 0, 1, 2, 1, 0]);
  pending.pop();
  expect(adjustments()).toEqual([0, -1, 0, 1, 1, 0]);
  pending.pop();
  pending.pop();
  expect(adjustments()).toEqual([0, 0, 0, 0, 0, 0]);
  expect(pending.isEmpty).toBe(true);
});

describe('`increments`', () => {
  test('knows the blocks that were promised, whatever else is pending for them', () => {
    const pending = new PendingOperations();
    pending.push(1, 5, 7);
    pending.push(-1, 5, 6);
    pending.push(-1, 9, 10);
    expect([4, 5, 6, 7, 9].map((b) => pending.increments(b))).toEqual([false, true, true, false, false]);
    pending.pop();
    expect(pending.increments(5)).toBe(false);
  });
});

test('to peek where nothing is pending is an assertion', () => {
  expect(() => new PendingOperations().peek()).toThrow(new AssertionError('something is pending'));
});
