import { expect, test } from 'vitest';
import type { BlockDevice } from '../io/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { type BlockDeviceSubject, blockDeviceSuite } from './block-device-suite.ts';

/** Runs the suite on a device and gives the names of the tests that fail. */
async function failuresOf(make: (image: Uint8Array) => BlockDevice, discards = true): Promise<string[]> {
  const bodies = new Map<string, () => void | Promise<void>>();
  blockDeviceSuite({
    test: (name, body) => bodies.set(name, body),
    name: 'it',
    make: (image): BlockDeviceSubject => ({ device: make(image) }),
    capabilities: { discards },
  });
  expect(bodies.size).toBeGreaterThan(10);
  const failures: string[] = [];
  for (const [name, body] of bodies) {
    try {
      await body();
    } catch {
      failures.push(name);
    }
  }
  return failures;
}

/** A memory device with one method put in the place of its own. */
function broken(change: (memory: MemoryDevice) => Partial<BlockDevice>): (image: Uint8Array) => BlockDevice {
  return (image) => {
    const memory = MemoryDevice.from(image);
    return Object.assign(memory, change(memory));
  };
}

test('`blockDeviceSuite()` passes a device that keeps the contract', async () => {
  expect(await failuresOf((image) => MemoryDevice.from(image))).toEqual([]);
});

test('`blockDeviceSuite()` catches devices that break the contract', async () => {
  const { read, write, resize } = MemoryDevice.prototype;
  const devices: Record<string, (image: Uint8Array) => BlockDevice> = {
    'reads one block too far': broken((memory) => ({
      read: (begin, buffers) => read.call(memory, Math.min(begin + 1, memory.nrBlocks), buffers),
    })),
    'loses writes': broken(() => ({ write: () => {} })),
    'keeps the buffer': broken((memory) => {
      const last: { begin: number; buffers: readonly Uint8Array[] }[] = [];
      return {
        write: (begin, buffers) => {
          write.call(memory, begin, buffers);
          last.push({ begin, buffers });
        },
        flush: () => {
          for (const { begin, buffers } of last) write.call(memory, begin, buffers);
        },
      };
    }),
    'writes the first buffer only': broken((memory) => ({
      write: (begin, buffers) => write.call(memory, begin, buffers.slice(0, 1)),
    })),
    'does not end': broken(() => ({ close: () => {} })),
    'grows with old bytes': broken((memory) => ({
      resize: (nrBlocks) => {
        const old = memory.toBytes();
        resize.call(memory, nrBlocks);
        if (nrBlocks > 0)
          write.call(memory, nrBlocks - 1, [old.slice(0, 4096).length ? old.slice(0, 4096) : new Uint8Array()]);
      },
    })),
    'discards too much': broken((memory) => ({
      discard: (begin, count) => {
        if (begin > 0) write.call(memory, begin - 1, [new Uint8Array(4096)]);
        MemoryDevice.prototype.discard.call(memory, begin, count);
      },
    })),
    'throws where it has to reject': broken((memory) => ({
      flushAsync: () => {
        memory.flush();
        return Promise.resolve();
      },
    })),
  };
  for (const [what, make] of Object.entries(devices)) expect(await failuresOf(make), what).not.toEqual([]);
});

test('`blockDeviceSuite()` catches a device that can less or more than it should', async () => {
  expect(await failuresOf((image) => MemoryDevice.from(image), false)).toEqual([
    'it has what it says and nothing else',
  ]);
});
