import { expect, test } from 'vitest';
import { transferAll } from './vectored.ts';

/** A file of bytes 0, 1, 2, … (mod 251) that transfers at most `limit` bytes and 1024 buffers per call. */
function file(limit: number, sizeBytes = 1 << 24) {
  const calls: { nrBuffers: number; position: number }[] = [];
  const read = (buffers: readonly Uint8Array[], position: number) => {
    calls.push({ nrBuffers: buffers.length, position });
    expect(buffers.length).toBeLessThanOrEqual(1024);
    let done = 0;
    for (const buffer of buffers) {
      for (let i = 0; i < buffer.length && done < limit && position + done < sizeBytes; ++i, ++done) {
        buffer[i] = (position + done) % 251;
      }
    }
    return done;
  };
  return { calls, read };
}

function expectContent(buffers: readonly Uint8Array[], position: number): void {
  let at = position;
  for (const buffer of buffers) for (const byte of buffer) expect(byte).toBe(at++ % 251);
}

test('`transferAll()` makes one call where the system does all at once', () => {
  const { calls, read } = file(Number.POSITIVE_INFINITY);
  const buffers = [new Uint8Array(5), new Uint8Array(0), new Uint8Array(7)];
  transferAll(read, buffers, 100);
  expect(calls).toEqual([{ nrBuffers: 3, position: 100 }]);
  expectContent(buffers, 100);
});

test('`transferAll()` continues short transfers, wherever in a buffer they end', () => {
  for (const limit of [1, 2, 3, 5, 7, 8, 12, 13]) {
    const { read } = file(limit);
    const buffers = [new Uint8Array(5), new Uint8Array(0), new Uint8Array(3), new Uint8Array(4), new Uint8Array(0)];
    transferAll(read, buffers, 17);
    expectContent(buffers, 17);
  }
});

test('`transferAll()` splits at the most buffers that a call takes, short or not', () => {
  for (const limit of [Number.POSITIVE_INFINITY, 700]) {
    const { calls, read } = file(limit);
    const buffers = Array.from({ length: 2500 }, () => new Uint8Array(3));
    transferAll(read, buffers, 0);
    expectContent(buffers, 0);
    if (limit > 1e6) expect(calls.map((call) => call.nrBuffers)).toEqual([1024, 1024, 452]);
  }
});

test('`transferAll()` of nothing calls nothing', () => {
  const { calls, read } = file(10);
  transferAll(read, [], 0);
  transferAll(read, [new Uint8Array(0)], 0);
  expect(calls).toEqual([]);
});

test('`transferAll()` throws when the file has become shorter, instead of trying for ever', () => {
  const { read } = file(1000, 10);
  expect(() => transferAll(read, [new Uint8Array(20)], 0)).toThrow('EOF');
});
