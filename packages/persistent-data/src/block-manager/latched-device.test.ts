import { expect, test } from 'vitest';
import { DeviceError, NoSpaceError, ReadOnlyError, UnsupportedError } from '../base/index.ts';
import { type BlockDevice, MemoryDevice } from '../io/index.ts';
import { LatchedDevice } from './latched-device.ts';

const BLOCK = new Uint8Array(4096);

function latched(
  overrides: Partial<BlockDevice>,
  survivesFullHost = false,
): { device: LatchedDevice; failures: number[] } {
  const inner: BlockDevice = Object.assign(new MemoryDevice({ nrBlocks: 4 }), overrides);
  const failures: number[] = [];
  return { device: new LatchedDevice(inner, { survivesFullHost, onFailure: () => failures.push(1) }), failures };
}

const fail = (error: Error) => (): never => {
  throw error;
};

test('after a failed write nothing is tried again, and the first reason is told', () => {
  let writes = 0;
  const { device, failures } = latched({
    write: () => {
      writes++;
      throw new Error('no');
    },
  });
  expect(() => device.write(1, [BLOCK])).toThrow(DeviceError);
  expect(() => device.write(1, [BLOCK])).toThrow(/latched after a failure.*write blocks 1 to 1/);
  expect(() => device.flush()).toThrow(ReadOnlyError);
  expect(writes).toBe(1);
  expect(failures).toEqual([1]);
});

test('a failed flush latches, also an asynchronous one', async () => {
  const first = latched({ flush: fail(new Error('no')) });
  expect(() => first.device.flush()).toThrow(DeviceError);
  expect(() => first.device.write(0, [BLOCK])).toThrow(ReadOnlyError);
  const second = latched({ flushAsync: () => Promise.reject(new Error('no')) });
  await expect(second.device.flushAsync()).rejects.toThrow(DeviceError);
  await expect(second.device.flushAsync()).rejects.toThrow(ReadOnlyError);
  expect(second.failures).toEqual([1]);
});

test('a failed read fails alone', () => {
  const { device, failures } = latched({ read: fail(new DeviceError('no')) });
  expect(() => device.read(0, [BLOCK])).toThrow(DeviceError);
  device.write(0, [BLOCK]);
  expect(failures).toEqual([]);
});

test('a full host latches, unless its owner can go on', () => {
  const full = { write: fail(new NoSpaceError('full', 'host')) };
  const first = latched(full);
  expect(() => first.device.write(0, [BLOCK])).toThrow(NoSpaceError);
  expect(first.device.failure).toBeInstanceOf(NoSpaceError);
  const second = latched(full, true);
  expect(() => second.device.write(0, [BLOCK])).toThrow(NoSpaceError);
  expect(second.device.failure).toBeUndefined();
});

test('a device of fixed length is not resized', () => {
  const inner = new MemoryDevice({ nrBlocks: 4 });
  const fixed = { ...inner, nrBlocks: 4, readOnly: false } as unknown as BlockDevice;
  const device = new LatchedDevice(fixed, { survivesFullHost: false, onFailure: () => undefined });
  expect(() => device.refuseResize(5)).toThrow(UnsupportedError);
  expect(() => device.refuseResize(4)).not.toThrow();
});

test('calls and blocks are counted', () => {
  const { device } = latched({});
  device.write(0, [BLOCK, BLOCK]);
  device.read(1, [BLOCK.slice()]);
  device.flush();
  const { writes, blocksWritten, reads, blocksRead, flushes } = device;
  expect({ writes, blocksWritten, reads, blocksRead, flushes }).toEqual({
    writes: 1,
    blocksWritten: 2,
    reads: 1,
    blocksRead: 1,
    flushes: 1,
  });
});
