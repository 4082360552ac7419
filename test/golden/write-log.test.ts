import { describe, expect, test } from 'vitest';
import { describeDifferences } from './compare.ts';
import { goldenImage } from './image.ts';
import { goldenWriteLog, parseWriteLog } from './write-log.ts';

describe('the write log', () => {
  const entries = goldenWriteLog();

  test('replayed to its end gives the device at its end', () => {
    const device = new Uint8Array(1024 * 4096);
    for (const { offset, data } of entries) device.set(data, offset);
    expect(describeDifferences(device, goldenImage('thin', 'log-thin-after').bytes())).toBe('');
  });

  test('has the marks of the guest and its own end mark', () => {
    const marks = entries.flatMap(({ mark }) => mark ?? []);
    expect(marks.slice(0, 3)).toEqual(['format', 'create_thin', 'write-0-299']);
    expect(marks.at(-1)).toBe('dm-log-writes-end');
  });

  test('writes the superblock only after a flush of everything else', () => {
    let flushed = true;
    for (const { offset, data, flush, fua } of entries) {
      if (flush) flushed = true;
      if (offset === 0 && data.length > 0) expect(flushed).toBe(true);
      else if (data.length > 0 && !fua) flushed = false;
    }
  });

  test('of another kind is refused', () => {
    expect(() => parseWriteLog(new Uint8Array(4096))).toThrow('not a log');
  });
});
