import { expect, test } from 'vitest';
import { MemoryDevice } from '../io/index.ts';
import { OverlayDevice } from './overlay-device.ts';
import { RecordingDevice } from './recording-device.ts';

const block = (value: number): Uint8Array => new Uint8Array(4096).fill(value);

test('an overlay keeps what is written, and leaves the other device alone', () => {
  const inner = MemoryDevice.from(new Uint8Array(4 * 4096).fill(1));
  const overlay = new OverlayDevice(inner);
  overlay.write(1, [block(2), block(3)]);
  overlay.resize(6);
  overlay.write(5, [block(4)]);
  overlay.flush();
  const all = new Uint8Array(6 * 4096);
  overlay.read(0, [all]);
  expect([0, 1, 2, 3, 4, 5].map((b) => all[b * 4096])).toEqual([1, 2, 3, 1, 0, 4]);
  expect(inner.nrBlocks).toBe(4);
  expect(inner.toBytes().every((byte) => byte === 1)).toBe(true);
  overlay.resize(2);
  overlay.resize(4);
  overlay.read(0, [all.subarray(0, 4 * 4096)]);
  expect([0, 1, 2, 3].map((b) => all[b * 4096])).toEqual([1, 2, 0, 0]);
  expect(() => overlay.read(4, [block(0)])).toThrow(RangeError);
  overlay.close();
  inner.flush();
});

test('a recording device notes the first word of each block written, up to its limit', async () => {
  const inner = new MemoryDevice({ nrBlocks: 8 });
  const recording = new RecordingDevice(inner, 3);
  recording.write(2, [block(1), block(0xff)]);
  recording.write(2, [block(2)]);
  expect([...recording.written!]).toEqual([
    [2, 0x0202_0202],
    [3, 0xffff_ffff],
  ]);
  recording.write(4, [block(1), block(1)]);
  expect(recording.written).toBeUndefined();
  recording.write(0, [block(1)]);
  recording.clear();
  expect(recording.written?.size).toBe(0);
  recording.resize?.(9);
  await recording.flushAsync?.();
  recording.flush();
  recording.close();
  expect(recording.nrBlocks).toBe(9);
  expect(recording.readOnly).toBe(false);
});
