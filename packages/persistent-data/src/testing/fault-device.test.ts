import { expect, test } from 'vitest';
import { DeviceError, NoSpaceError } from '../base/index.ts';
import { type BlockDevice, MemoryDevice, ReadOnlyDevice } from '../io/index.ts';
import { CrashDevice } from './crash-device.ts';
import type { Fault } from './fault.ts';
import { FaultDevice } from './fault-device.ts';

const block = (fill: number) => new Uint8Array(4096).fill(fill);

function byteAt(device: BlockDevice, nr: number): number {
  const bytes = block(0xff);
  device.read(nr, [bytes]);
  return bytes[0] as number;
}

const bytesOf = (device: BlockDevice) => Array.from({ length: device.nrBlocks }, (_, nr) => byteAt(device, nr));

/** Eight blocks that hold their numbers, under the given faults. */
function faulty(...faults: Fault[]): { disk: MemoryDevice; device: FaultDevice } {
  const disk = new MemoryDevice({ nrBlocks: 8 });
  for (let nr = 0; nr < 8; ++nr) disk.write(nr, [block(nr)]);
  return { disk, device: new FaultDevice(disk, { faults }) };
}

/** `ok`, or the code of the error. */
function outcome(call: () => unknown): string {
  try {
    call();
    return 'ok';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test('`FaultDevice` fails the n-th call of a kind once, and does nothing then', () => {
  for (const call of ['read', 'write', 'flush', 'resize'] as const) {
    const { disk, device } = faulty({ kind: 'error', call, at: 1 });
    const use = {
      read: () => byteAt(device, 3),
      write: () => device.write(3, [block(9)]),
      flush: () => device.flush(),
      resize: () => device.resize?.(8 + device.calls.resize),
    }[call];
    expect([0, 1, 2].map(() => outcome(use))).toEqual(['ok', 'PDATA_IO', 'ok']);
    expect(device.calls[call]).toBe(3);
    expect(device.shown).toEqual([{ kind: 'error', call, at: 1 }]);
    if (call === 'resize') expect(disk.nrBlocks).toBe(10);
  }
});

test('`FaultDevice` fails from the n-th call on, with any error of the system', () => {
  const { device } = faulty({ kind: 'error', call: 'write', at: 1, forever: true, code: 'ENOSPC' });
  const use = () => device.write(0, [block(1)]);
  use();
  for (let i = 0; i < 3; ++i) expect(use).toThrow(NoSpaceError);
  device.heal();
  use();
});

test('`FaultDevice` counts asynchronous flushes with the others, and rejects', async () => {
  const { device } = faulty({ kind: 'error', call: 'flush', at: 1 });
  device.flush();
  await expect(device.flushAsync()).rejects.toThrow(DeviceError);
  await device.flushAsync();
  expect(device.calls.flush).toBe(3);
});

test('`FaultDevice` does not count a call that is refused anyway', () => {
  const { device } = faulty();
  expect(() => device.write(8, [block(0)])).toThrow(RangeError);
  expect(device.calls).toEqual({ read: 0, write: 0, flush: 0, resize: 0 });
});

test('a partial read fills in its first blocks', () => {
  const { device } = faulty({ kind: 'partialRead', at: 0, blocks: 1 });
  const buffers = [block(9), block(9), block(9)];
  expect(() => device.read(5, buffers)).toThrow(DeviceError);
  expect(buffers.map(([byte]) => byte)).toEqual([5, 9, 9]);
  device.read(5, buffers);
  expect(buffers.map(([byte]) => byte)).toEqual([5, 6, 7]);
});

test('a partial write does its first blocks', () => {
  const { disk, device } = faulty({ kind: 'partialWrite', at: 0, blocks: 2 });
  expect(() => device.write(1, [block(20), block(21), block(22)])).toThrow(DeviceError);
  expect(bytesOf(disk)).toEqual([0, 20, 21, 3, 4, 5, 6, 7]);
  device.write(1, [block(30), block(31), block(32)]);
  expect(bytesOf(disk)).toEqual([0, 30, 31, 32, 4, 5, 6, 7]);
});

test('a host without space takes overwrites and refuses new blocks', () => {
  const disk = new MemoryDevice({ nrBlocks: 8 });
  disk.write(0, [block(1)]);
  const device = new FaultDevice(disk, { faults: [{ kind: 'noSpace', blocks: 2 }] });
  device.write(0, [block(2), block(2)]);
  expect(() => device.write(1, [block(3), block(3), block(3)])).toThrow(NoSpaceError);
  expect(bytesOf(disk)).toEqual([2, 3, 3, 0, 0, 0, 0, 0]);
  device.write(0, [block(4), block(4), block(4)]);
  expect(() => device.write(7, [block(4)])).toThrow(NoSpaceError);
});

test('bit rot shows until the block is written', () => {
  const { device } = faulty({ kind: 'bitRot', block: 3, bit: 8 * 100 + 7 });
  const bytes = [block(0), block(0), block(0)];
  device.read(2, bytes);
  expect(bytes.map((part) => part[100])).toEqual([2, 3 ^ 0x80, 4]);
  expect(bytes[1]?.[99]).toBe(3);
  device.write(3, [block(7)]);
  device.read(2, bytes);
  expect(bytes[1]).toEqual(block(7));
});

test('a lost write succeeds and is not done', () => {
  const { disk, device } = faulty({ kind: 'lostWrite', at: 1 });
  for (let nr = 0; nr < 3; ++nr) device.write(nr, [block(9)]);
  expect(bytesOf(disk).slice(0, 4)).toEqual([9, 1, 9, 3]);
});

test('a misdirected write lands elsewhere, as far as the device reaches', () => {
  const { disk, device } = faulty({ kind: 'misdirectedWrite', at: 0, to: 6 });
  device.write(0, [block(20), block(21), block(22)]);
  expect(bytesOf(disk)).toEqual([0, 1, 2, 3, 4, 5, 20, 21]);
});

test('a stale read gives what was there before the last write', () => {
  const { device } = faulty({ kind: 'staleRead', at: 0 });
  device.write(2, [block(20)]);
  device.write(2, [block(30), block(31)]);
  const [a, b, c] = [block(0), block(0), block(0)];
  device.read(1, [a, b, c]);
  expect([a[0], b[0], c[0]]).toEqual([1, 20, 3]);
  expect(bytesOf(device).slice(1, 4)).toEqual([1, 30, 31]);
});

test('a failed flush loses what it should have covered, shows it still, and then pretends', () => {
  const { disk, device } = faulty({ kind: 'failedFlush', at: 1 });
  device.write(0, [block(10)]);
  device.flush();
  device.write(0, [block(20)]);
  device.write(1, [block(21)]);
  device.write(1, [block(31)]);
  expect(() => device.flush()).toThrow(DeviceError);
  expect(bytesOf(device).slice(0, 3)).toEqual([20, 31, 2]);
  expect(bytesOf(disk).slice(0, 3)).toEqual([10, 1, 2]);
  device.flush();
  expect(bytesOf(disk).slice(0, 3)).toEqual([10, 1, 2]);
  device.write(1, [block(41)]);
  device.flush();
  expect(bytesOf(disk).slice(0, 3)).toEqual([10, 41, 2]);
  expect(bytesOf(device).slice(0, 3)).toEqual([20, 41, 2]);
});

test('what an asynchronous flush has covered, a later failed one does not lose', async () => {
  const disk = new CrashDevice({ nrBlocks: 4, asyncFlush: 'held' });
  const device = new FaultDevice(disk, { faults: [{ kind: 'failedFlush', at: 1 }] });
  device.write(0, [block(1)]);
  const flush = device.flushAsync();
  device.write(1, [block(2)]);
  disk.finishFlush();
  await flush;
  await expect(device.flushAsync()).rejects.toThrow(DeviceError);
  expect(bytesOf(disk)).toEqual([1, 0, 0, 0]);
});

test('a dropped flush is not passed on', async () => {
  const disk = new CrashDevice({ nrBlocks: 4 });
  const device = new FaultDevice(disk, { faults: [{ kind: 'droppedFlush', at: 1 }] });
  device.flush();
  device.flush();
  await device.flushAsync();
  expect([disk.nrFlushCalls, device.calls.flush]).toEqual([2, 3]);
});

test('`FaultDevice` passes calls on as they are, unless a fault is about single blocks', () => {
  const disk = new CrashDevice({ nrBlocks: 8 });
  const device = new FaultDevice(disk, { faults: [{ kind: 'error', call: 'write', at: 9 }] });
  device.write(0, [block(1), block(1), block(1)]);
  expect(disk.nrWrites).toBe(1);
  device.inject({ kind: 'bitRot', block: 0, bit: 0 });
  expect(byteAt(device, 0)).toBe(0);
  device.write(0, [block(1), block(1), block(1)]);
  expect(byteAt(device, 0)).toBe(1);
});

test('`FaultDevice` can what the other device can, and closes it only if it owns it', () => {
  const disk = new MemoryDevice({ nrBlocks: 40 });
  const device = new FaultDevice(new ReadOnlyDevice(disk), { ownsInner: true });
  expect([device.readOnly, device.resize, device.discard]).toEqual([true, undefined, undefined]);
  device.close();
  disk.flush();
  new FaultDevice(disk).close();
  disk.flush();
  new FaultDevice(disk, { ownsInner: true }).close();
  expect(outcome(() => disk.flush())).toBe('PDATA_STATE');
});

test('a campaign can sweep every call of a script', () => {
  const script = (device: BlockDevice) => {
    for (let nr = 0; nr < 4; ++nr) device.write(nr, [block(byteAt(device, nr) + 1)]);
    device.flush();
  };
  const { device } = faulty();
  script(device);
  expect(device.calls).toEqual({ read: 4, write: 4, flush: 1, resize: 0 });
  for (const call of ['read', 'write', 'flush'] as const) {
    for (let at = 0; at < device.calls[call]; ++at) {
      const run = faulty({ kind: 'error', call, at });
      expect(outcome(() => script(run.device))).toBe('PDATA_IO');
      expect(run.device.shown).toHaveLength(1);
    }
  }
});
