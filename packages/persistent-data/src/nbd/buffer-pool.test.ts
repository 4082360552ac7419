import { expect, test } from 'vitest';
import { BufferPool } from './buffer-pool.ts';

test('buffers are used again, and no more are kept than was said', () => {
  const pool = new BufferPool(3 * 65536);
  const [a, b, c] = [pool.take(1), pool.take(65536), pool.take(65537)];
  expect([a.byteLength, b.byteLength, c.byteLength]).toEqual([65536, 65536, 131072]);
  pool.give(a);
  pool.give(c);
  pool.give(b);
  expect(pool.keptBytes).toBe(3 * 65536);
  expect(pool.take(100)).toBe(a);
  expect(pool.take(100)).not.toBe(b);
  expect(pool.take(70000)).toBe(c);
  expect(pool.keptBytes).toBe(0);
});
