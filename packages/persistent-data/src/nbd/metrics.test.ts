import { expect, test } from 'vitest';
import { newHistogram, newMetrics, recordLatency } from './metrics.ts';

test('durations are counted by powers of two of microseconds', () => {
  const histogram = newHistogram();
  for (const micros of [0, 1, 2, 3, 4, 5, 1024, 1025]) recordLatency(histogram, micros / 1000);
  recordLatency(histogram, 1e9);
  expect(histogram.counts.slice(0, 4)).toEqual([2, 1, 2, 1]);
  expect([histogram.counts[10], histogram.counts[11], histogram.counts[25]]).toEqual([1, 1, 1]);
  expect(histogram.count).toBe(9);
});

test('metrics begin at zero and survive JSON', () => {
  const metrics = newMetrics();
  expect(metrics.requests.writeZeroes).toBe(0);
  expect(metrics.latency.read).not.toBe(metrics.latency.write);
  expect(JSON.parse(JSON.stringify(metrics))).toEqual(metrics);
});
