/** The contract of `BlockDevice`, on every device that the library has. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileDevice, MemoryDevice, ReadOnlyDevice, WindowDevice } from 'persistent-data/io';
import { blockDeviceSuite, CrashDevice, FaultDevice } from 'persistent-data/testing';
import { test } from 'vitest';

/** A file that holds `image` in a folder of its own. */
function fileWith(image: Uint8Array): { path: string; dispose: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'block-device-'));
  const path = join(folder, 'image');
  writeFileSync(path, image);
  return { path, dispose: () => rmSync(folder, { recursive: true }) };
}

/** A device with 3 blocks of other bytes before `image` and 4 behind it. */
function padded(image: Uint8Array): MemoryDevice {
  const memory = new MemoryDevice({ nrBlocks: 3 + image.length / 4096 + 4 });
  memory.write(0, [new Uint8Array(3 * 4096).fill(1), image, new Uint8Array(4 * 4096).fill(2)]);
  return memory;
}

blockDeviceSuite({
  test,
  name: 'FileDevice',
  make: (image) => {
    const { path, dispose } = fileWith(image);
    return { device: FileDevice.open(path), reopen: () => FileDevice.open(path, { readOnly: true }), dispose };
  },
});

blockDeviceSuite({
  test,
  name: 'FileDevice with a tail',
  make: (image) => {
    const { path, dispose } = fileWith(Buffer.concat([image, Buffer.alloc(4095, 7)]));
    return { device: FileDevice.open(path), reopen: () => FileDevice.open(path), dispose };
  },
});

blockDeviceSuite({
  test,
  name: 'FileDevice read-only',
  make: (image) => {
    const { path, dispose } = fileWith(image);
    return { device: FileDevice.open(path, { readOnly: true }), dispose };
  },
  capabilities: { writable: false },
});

blockDeviceSuite({
  test,
  name: 'MemoryDevice',
  make: (image) => {
    const device = MemoryDevice.from(image);
    return { device, reopen: () => device.fork() };
  },
  capabilities: { discards: true },
});

blockDeviceSuite({
  test,
  name: 'MemoryDevice that shares its memory with another',
  make: (image) => {
    const origin = MemoryDevice.from(image);
    return { device: origin.fork(), dispose: () => origin.write(0, [image]) };
  },
  capabilities: { discards: true },
});

blockDeviceSuite({
  test,
  name: 'ReadOnlyDevice',
  make: (image) => ({ device: new ReadOnlyDevice(MemoryDevice.from(image)) }),
  capabilities: { writable: false, resizable: false, flushesAsync: false },
});

blockDeviceSuite({
  test,
  name: 'WindowDevice',
  make: (image) => {
    const memory = padded(image);
    const window = () => new WindowDevice(memory, { begin: 3, nrBlocks: image.length / 4096 });
    return { device: window(), reopen: window };
  },
  capabilities: { resizable: false, discards: true },
});

blockDeviceSuite({
  test,
  name: 'WindowDevice in a window of a file',
  make: (image) => {
    const { path, dispose } = fileWith(padded(image).toBytes());
    const nrBlocks = image.length / 4096;
    const outer = new WindowDevice(FileDevice.open(path), { begin: 1, nrBlocks: nrBlocks + 4, ownsInner: true });
    return { device: new WindowDevice(outer, { begin: 2, nrBlocks, ownsInner: true }), dispose };
  },
  capabilities: { resizable: false },
});

blockDeviceSuite({
  test,
  name: 'CrashDevice',
  make: (image) => {
    const device = new CrashDevice({ image });
    return { device, reopen: () => new CrashDevice({ image: device.durable() }) };
  },
  capabilities: { discards: true },
});

blockDeviceSuite({
  test,
  name: 'FaultDevice without a fault',
  make: (image) => {
    const memory = MemoryDevice.from(image);
    return { device: new FaultDevice(memory), reopen: () => memory };
  },
  capabilities: { discards: true },
});
