import { spawnSync } from 'node:child_process';
import fs, { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { DeviceError, LockedError, StateError, UnsupportedError } from '../base/index.ts';
import { FileDevice } from './file-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'file-open-'));
let nrFiles = 0;
const newFile = () => join(folder, `file-${nrFiles++}`);
const files = () => readdirSync(folder);

/** Runs a command of the system, which may be missing. */
const shell = (command: string, argument: string) =>
  spawnSync('sh', ['-c', command, 'sh', argument], { encoding: 'utf8' });

afterEach(() => {
  vi.restoreAllMocks();
  for (const name of files()) rmSync(join(folder, name), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('`FileDevice` refuses a second writer and names the holder', () => {
  const path = newFile();
  const device = FileDevice.open(path, { create: true });
  let error: unknown;
  try {
    FileDevice.open(path);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(LockedError);
  expect((error as LockedError).holder?.pid).toBe(process.pid);
  device.close();
  FileDevice.open(path).close();
});

test('`FileDevice` refuses a second writer that comes by a symbolic link', () => {
  const path = newFile();
  const device = FileDevice.open(path, { create: true });
  symlinkSync(path, join(folder, 'link'));
  expect(() => FileDevice.open(join(folder, 'link'))).toThrow(LockedError);
  device.close();
});

test('`FileDevice` refuses a reader while a writer has the file, unless the reader insists', () => {
  const path = newFile();
  const writer = FileDevice.open(path, { create: true, nrBlocks: 1 });
  expect(() => FileDevice.open(path, { readOnly: true })).toThrow(LockedError);
  const reader = FileDevice.open(path, { readOnly: true, exclusive: false });
  expect(reader.nrBlocks).toBe(1);
  writer.close();
  const others = [1, 2].map(() => FileDevice.open(path, { readOnly: true }));
  for (const device of [reader, ...others]) device.close();
  expect(files()).toEqual(['file-2']);
});

test('`FileDevice` makes a missing file only when told to', () => {
  const path = newFile();
  expect(() => FileDevice.open(path)).toThrow(StateError);
  expect(files()).toEqual([]);
  const device = FileDevice.open(path, { create: true, nrBlocks: 3 });
  expect(device.nrBlocks).toBe(3);
  device.close();
  expect(statSync(path).size).toBe(3 * 4096);
});

test('`FileDevice` keeps the length of a file that exists', () => {
  const path = newFile();
  writeFileSync(path, new Uint8Array(4096));
  const device = FileDevice.open(path, { create: true, nrBlocks: 3 });
  expect(device.nrBlocks).toBe(1);
  device.close();
});

test('`FileDevice` with `create: "new"` refuses a file that exists', () => {
  const path = newFile();
  FileDevice.open(path, { create: 'new' }).close();
  expect(() => FileDevice.open(path, { create: 'new' })).toThrow(StateError);
});

test('`FileDevice` with `create: "new"` refuses a file that appears at the last moment, and leaves it alone', () => {
  const path = newFile();
  const openSync = fs.openSync;
  vi.spyOn(fs, 'openSync').mockImplementation((name, flags, mode) => {
    if (name === path) writeFileSync(path, 'other');
    return openSync(name, flags, mode);
  });
  expect(() => FileDevice.open(path, { create: 'new' })).toThrow(StateError);
  FileDevice.open(path, { create: true }).close();
  vi.restoreAllMocks();
  expect(fs.readFileSync(path, 'utf8')).toBe('other');
});

test('a file that cannot be made whole is not left behind', () => {
  vi.spyOn(fs, 'ftruncateSync').mockImplementation(() => {
    throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
  });
  expect(() => FileDevice.open(newFile(), { create: true, nrBlocks: 9 })).toThrow('ENOSPC');
  expect(files()).toEqual([]);
});

test('a new file’s name is flushed with its folder', () => {
  const fsync = vi.spyOn(fs, 'fsyncSync');
  FileDevice.open(newFile(), { create: true }).close();
  expect(fsync).toHaveBeenCalledTimes(2);
});

test('what has no blocks is refused by its kind', () => {
  mkdirSync(join(folder, 'directory'));
  expect(() => FileDevice.open(join(folder, 'directory'))).toThrow('it is a directory');
  shell('mkfifo "$1"', join(folder, 'pipe'));
  for (const path of [join(folder, 'pipe'), '/dev/null']) expect(() => FileDevice.open(path)).toThrow(UnsupportedError);
});

test('what the system refuses is a `DeviceError`, and no lock stays', () => {
  const path = newFile();
  writeFileSync(path, '');
  const openSync = fs.openSync;
  vi.spyOn(fs, 'openSync').mockImplementation((name, flags, mode) => {
    if (name === path) throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    return openSync(name, flags, mode);
  });
  expect(() => FileDevice.open(path)).toThrow(DeviceError);
  expect(files()).toEqual([path.slice(folder.length + 1)]);
  expect(() => FileDevice.open(join(path, 'below'))).toThrow('ENOTDIR');
  expect(() => FileDevice.open(join(folder, 'no', 'folder'), { create: true })).toThrow(DeviceError);
});

test('options that contradict each other are refused', () => {
  expect(() => FileDevice.open(newFile(), { readOnly: true, create: true })).toThrow(TypeError);
  expect(() => FileDevice.open(newFile(), { create: true, nrBlocks: -1 })).toThrow(RangeError);
  expect(files()).toEqual([]);
});

/** A loop device for `path`, or `undefined` where that is not allowed. */
function attach(path: string): string | undefined {
  const { status, stdout } = shell('losetup --find --show "$1"', path);
  return status === 0 ? stdout.trim() : undefined;
}

test('a block device has the size that sysfs says, one opener and no `resize`', (context) => {
  const path = newFile();
  writeFileSync(path, new Uint8Array(10 * 4096 + 512));
  const name = attach(path);
  if (name === undefined) return context.skip('no loop device can be made here');
  try {
    const device = FileDevice.open(name);
    expect([device.nrBlocks, device.isBlockDevice, device.resize]).toEqual([10, true, undefined]);
    expect(() => FileDevice.open(name)).toThrow(LockedError);
    const bytes = new Uint8Array(4096).fill(5);
    device.write(9, [bytes]);
    device.flush();
    const seen = new Uint8Array(4096);
    const reader = FileDevice.open(name, { readOnly: true, exclusive: false });
    reader.read(9, [seen]);
    expect(seen).toEqual(bytes);
    reader.close();
    device.close();
    FileDevice.open(name).close();
  } finally {
    shell('losetup --detach "$1"', name);
  }
});

test('a block device without a size in sysfs is refused', (context) => {
  const path = newFile();
  writeFileSync(path, new Uint8Array(4096));
  const name = attach(path);
  if (name === undefined) return context.skip('no loop device can be made here');
  try {
    const readFileSync = fs.readFileSync;
    vi.spyOn(fs, 'readFileSync').mockImplementation((...args) => {
      if (String(args[0]).startsWith('/sys/')) throw new Error('ENOENT');
      return readFileSync(...(args as Parameters<typeof readFileSync>));
    });
    expect(() => FileDevice.open(name)).toThrow(UnsupportedError);
  } finally {
    vi.restoreAllMocks();
    shell('losetup --detach "$1"', name);
  }
});
