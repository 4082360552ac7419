import { spawnSync } from 'node:child_process';
import fs, { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { DeviceError, NoSpaceError, ReadOnlyError, StateError } from '../base/index.ts';
import { FileDevice } from './file-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'file-device-'));
let nrFiles = 0;
const newFile = () => join(folder, `file-${nrFiles++}`);
const block = (fill: number) => new Uint8Array(4096).fill(fill);

afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true }));

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: told by the system`), { code });
}

/** Runs a program with `FileDevice` and `fs` at hand under `prefix`, a shell command that ends in `exec`; gives its output. */
function runUnder(prefix: string, program: string): string {
  const module = pathToFileURL(join(import.meta.dirname, 'file-device.ts')).href;
  const code = `import fs from 'node:fs'; import { FileDevice } from '${module}'; ${program}`;
  const args = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', code];
  const { stdout, stderr } = spawnSync('bash', ['-c', `${prefix} "$@"`, 'bash', ...args], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  return stdout || stderr;
}

test('`FileDevice` writes a run of many buffers in few calls, and reads it back', () => {
  const device = FileDevice.open(newFile(), { create: true, nrBlocks: 3000 });
  const write = vi.spyOn(fs, 'writevSync');
  const read = vi.spyOn(fs, 'readvSync');
  const buffers = Array.from({ length: 2500 }, (_, i) => block(i % 251));
  device.write(100, buffers);
  const seen = buffers.map(() => block(255));
  device.read(100, seen);
  expect(Buffer.concat(seen).equals(Buffer.concat(buffers))).toBe(true);
  expect(write).toHaveBeenCalledTimes(3);
  expect(read).toHaveBeenCalledTimes(3);
  device.close();
});

test('`FileDevice` continues short reads and writes of the system', () => {
  const device = FileDevice.open(newFile(), { create: true, nrBlocks: 10 });
  const { writevSync, readvSync } = fs;
  vi.spyOn(fs, 'writevSync').mockImplementation((fd, [first], at) =>
    writevSync(fd, [(first as Uint8Array).subarray(0, 1000)], at),
  );
  vi.spyOn(fs, 'readvSync').mockImplementation((fd, [first], at) =>
    readvSync(fd, [(first as Uint8Array).subarray(0, 3000)], at),
  );
  const buffers = [block(1), block(2), new Uint8Array(8192).fill(3)];
  device.write(5, buffers);
  const seen = [new Uint8Array(8192), block(0), block(0)];
  device.read(5, seen);
  expect(Buffer.concat(seen)).toEqual(Buffer.concat(buffers));
  device.close();
});

test('`FileDevice` never touches a tail that fills no block', () => {
  const path = newFile();
  writeFileSync(path, Buffer.alloc(2 * 4096 + 100, 7));
  const device = FileDevice.open(path);
  expect(device.nrBlocks).toBe(2);
  expect(() => device.write(2, [block(1)])).toThrow(RangeError);
  device.write(1, [block(1)]);
  device.resize?.(2);
  device.close();
  expect(readFileSync(path).subarray(2 * 4096)).toEqual(Buffer.alloc(100, 7));
});

test('`FileDevice.resize()` over a tail gives zeros', () => {
  const path = newFile();
  writeFileSync(path, Buffer.alloc(4096 + 100, 7));
  const device = FileDevice.open(path);
  device.resize?.(3);
  device.close();
  expect(readFileSync(path)).toEqual(Buffer.concat([Buffer.alloc(4096, 7), Buffer.alloc(8192)]));
});

test('`FileDevice.resize()` shrinks the file, and what grows again is zeros', () => {
  const path = newFile();
  writeFileSync(path, Buffer.alloc(4 * 4096, 7));
  const device = FileDevice.open(path);
  device.resize?.(1);
  expect(statSync(path).size).toBe(4096);
  device.resize?.(2);
  const seen = [block(1), block(1)];
  device.read(0, seen);
  expect(seen).toEqual([block(7), block(0)]);
  device.close();
});

test('`FileDevice` makes a change of length durable with fsync, all else with fdatasync', async () => {
  const device = FileDevice.open(newFile(), { create: true, nrBlocks: 1 });
  const fsyncSync = vi.spyOn(fs, 'fsyncSync');
  const fsync = vi.spyOn(fs, 'fsync');
  device.flush();
  await device.flushAsync();
  expect([fsyncSync.mock.calls.length, fsync.mock.calls.length]).toEqual([0, 0]);
  device.resize?.(5);
  await device.flushAsync();
  device.flush();
  expect([fsyncSync.mock.calls.length, fsync.mock.calls.length]).toEqual([0, 1]);
  device.resize?.(4);
  device.flush();
  await device.flushAsync();
  expect([fsyncSync.mock.calls.length, fsync.mock.calls.length]).toEqual([1, 1]);
  device.close();
});

test('a file that ends early while it is open is a `DeviceError`, not a hang', () => {
  const path = newFile();
  const device = FileDevice.open(path, { create: true, nrBlocks: 4 });
  truncateSync(path, 4096);
  expect(() => device.read(0, [block(0), block(0)])).toThrow(DeviceError);
  expect(() => device.read(3, [block(0)])).toThrow('Cannot read 1 blocks at block 3 of ');
  device.close();
});

test('a failed read or write is a `DeviceError` with the system’s error, and the next may succeed', () => {
  const device = FileDevice.open(newFile(), { create: true, nrBlocks: 4 });
  const cause = systemError('EIO');
  for (const [call, use] of [
    ['writevSync', () => device.write(0, [block(0)])],
    ['readvSync', () => device.read(0, [block(0)])],
  ] as const) {
    vi.spyOn(fs, call).mockImplementationOnce(() => {
      throw cause;
    });
    expect(thrownBy(use)).toMatchObject({ code: 'PDATA_IO', cause });
    use();
  }
  device.close();
});

test('a failed resize is a `DeviceError`, and the length stays', () => {
  const device = FileDevice.open(newFile(), { create: true, nrBlocks: 4 });
  vi.spyOn(fs, 'ftruncateSync').mockImplementationOnce(() => {
    throw systemError('EIO');
  });
  expect(() => device.resize?.(2)).toThrow(DeviceError);
  expect(device.nrBlocks).toBe(4);
  device.close();
});

// A flush failed, the kernel dropped the unwritten pages and marked them clean, the next flush reported success, and the data
// was gone (PostgreSQL, 2018). Nothing is flushed or written after the first failure.
test('`FileDevice` never flushes again after a flush that failed', async () => {
  const device = FileDevice.open(newFile(), { create: true, nrBlocks: 4 });
  const cause = systemError('EIO');
  const flush = vi.spyOn(fs, 'fdatasyncSync').mockImplementation(() => {
    throw cause;
  });
  const failure = thrownBy(() => device.flush());
  expect(failure).toMatchObject({ code: 'PDATA_IO', cause });
  for (const use of [() => device.flush(), () => device.write(0, [block(0)]), () => device.resize?.(9)]) {
    const error = thrownBy(use);
    expect(error).toBeInstanceOf(ReadOnlyError);
    expect((error as Error).cause).toBe(failure);
  }
  await expect(device.flushAsync()).rejects.toThrow(ReadOnlyError);
  expect(flush).toHaveBeenCalledTimes(1);
  device.read(0, [block(0)]);
  device.close();
});

test('`FileDevice` latches after an asynchronous flush that failed, for those that wait too', async () => {
  const device = FileDevice.open(newFile(), { create: true, nrBlocks: 4 });
  const callbacks: ((error: Error | null) => void)[] = [];
  vi.spyOn(fs, 'fdatasync').mockImplementation((_, callback) => void callbacks.push(callback));
  const flushes = [device.flushAsync(), device.flushAsync()];
  callbacks[1]?.(systemError('ENOSPC'));
  await expect(flushes[1]).rejects.toThrow(NoSpaceError);
  callbacks[0]?.(null);
  await expect(flushes[0]).rejects.toThrow(ReadOnlyError);
  expect(() => device.write(0, [block(1)])).toThrow(ReadOnlyError);
  device.close();
});

test('`FileDevice.close()` during an asynchronous flush gives the lock back and lets the flush end', async () => {
  const path = newFile();
  const device = FileDevice.open(path, { create: true, nrBlocks: 4 });
  const closeSync = vi.spyOn(fs, 'closeSync');
  device.write(0, [block(1)]);
  const flushes = [device.flushAsync(), device.flushAsync()];
  device.close();
  expect(closeSync).not.toHaveBeenCalled();
  await expect(device.flushAsync()).rejects.toThrow(StateError);
  FileDevice.open(path).close();
  await Promise.all(flushes);
  await vi.waitFor(() => expect(closeSync.mock.calls.length).toBeGreaterThanOrEqual(3));
});

test('`FileDevice` closes what it can although the system refuses to close the file', () => {
  const path = newFile();
  const device = FileDevice.open(path, { create: true });
  vi.spyOn(fs, 'closeSync').mockImplementationOnce((fd) => {
    fs.closeSync(fd);
    throw systemError('EIO');
  });
  expect(() => device.close()).toThrow(DeviceError);
  device.close();
  FileDevice.open(path).close();
});

test('a read-only `FileDevice` reads and changes nothing', async () => {
  const path = newFile();
  writeFileSync(path, block(7));
  const device = FileDevice.open(path, { readOnly: true });
  const seen = block(0);
  device.read(0, [seen]);
  expect(seen).toEqual(block(7));
  expect(() => device.write(0, [block(1)])).toThrow(ReadOnlyError);
  expect(() => device.resize?.(5)).toThrow(ReadOnlyError);
  device.flush();
  await device.flushAsync();
  device.close();
  expect(readFileSync(path)).toEqual(Buffer.from(block(7)));
});

test('a file that may not grow further is a `NoSpaceError` of the host', () => {
  const path = newFile();
  // 64 units of 1024 bytes are 16 blocks.
  const text = runUnder(
    'ulimit -f 64; exec',
    `const device = FileDevice.open(${JSON.stringify(path)}, { create: true, nrBlocks: 16 });
     try { device.resize(17); } catch (error) { console.log(error.code, error.space, error.cause.code, device.nrBlocks); }`,
  );
  expect(text.trim()).toBe('PDATA_NO_SPACE host EFBIG 16');
});

const canMount = spawnSync('sh', ['-c', `unshare -rm mount -t tmpfs tmpfs '${folder}'`]).status === 0;

test.runIf(canMount)('a full file system is a `NoSpaceError` when a block of a sparse file is written', () => {
  const mountPoint = mkdtempSync(join(folder, 'small-'));
  const text = runUnder(
    `unshare -rm bash -c 'mount -t tmpfs -o size=128k tmpfs ${mountPoint} && exec "$@"' bash`,
    `const device = FileDevice.open('${mountPoint}/image', { create: true, nrBlocks: 100 });
     const blocks = Array.from({ length: 100 }, () => new Uint8Array(4096).fill(1));
     try { device.write(0, blocks); } catch (error) { console.log(error.code, error.space, error.cause.code); }
     const seen = new Uint8Array(4096);
     device.read(3, [seen]);
     device.write(3, [seen.fill(2)]);
     device.flush();
     console.log(seen[0]);`,
  );
  expect(text.trim()).toBe('PDATA_NO_SPACE host ENOSPC\n2');
});
