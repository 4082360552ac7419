import type { Stats } from 'node:fs';
import { type DeviceError, LockedError, StateError, UnsupportedError } from '../base/index.ts';
import { BLOCK_SIZE } from './block-device.ts';
import { checkLength } from './block-run.ts';
import { FileLock, lockedBy } from './file-lock.ts';
import { builtinModule } from './platform.ts';
import { removeFile } from './remove-file.ts';
import { deviceError, systemCode } from './system-error.ts';

/** How to open a file as a device. */
export interface FileDeviceOptions {
  /** Nothing can be written. Default: false. */
  readonly readOnly?: boolean;
  /** `true`: a file that does not exist is made. `'new'`: it must not exist. Default: false, it must exist. */
  readonly create?: boolean | 'new';
  /** Length of a file that is made, in 4096-byte blocks. Default: 0. A file that exists keeps its length. */
  readonly nrBlocks?: number;
  /**
   * A writer takes the file's lock and a reader is refused while a writer has it; a block device is opened for this process
   * alone. Default: true. With `false` neither is done: only for reading what a live writer leaves alone, such as a metadata
   * snapshot.
   */
  readonly exclusive?: boolean;
}

/** A file or block device that is open, and what was found out about it. */
export interface OpenFile {
  readonly fd: number;
  /** Length in bytes. */
  readonly sizeBytes: number;
  /** A block device of the system: its length is fixed. */
  readonly isBlockDevice: boolean;
  readonly lock: FileLock | undefined;
}

/** Opens, locks and, where asked to, makes a file. Leaves nothing behind when it throws. */
export function openFile(path: string, options: FileDeviceOptions): OpenFile {
  const { readOnly = false, create = false, nrBlocks = 0, exclusive = true } = options;
  checkLength(nrBlocks);
  if (readOnly && create !== false)
    throw new TypeError('Cannot make a file read-only: readOnly and create exclude each other');
  const stat = statOf(path);
  if (stat === undefined && create === false) throw notThere(path);
  if (stat !== undefined && create === 'new') throw alreadyThere(path);
  if (stat?.isBlockDevice()) return openBlockDevice(path, { readOnly, exclusive });
  if (stat !== undefined && !stat.isFile()) {
    const kind = stat.isDirectory() ? 'a directory' : 'neither a regular file nor a block device';
    throw new UnsupportedError(`Cannot open ${path}: it is ${kind}, a regular file or a block device is wanted`);
  }
  const file = realPath(path);
  if (readOnly) {
    const holder = exclusive ? FileLock.holderOf(file) : undefined;
    if (holder !== undefined) throw lockedBy(file, holder);
    return openRegular(path, 'r', undefined);
  }
  const lock = exclusive ? FileLock.acquire(file) : undefined;
  try {
    return openOrMake(path, { create, nrBlocks, lock });
  } catch (error) {
    lock?.release();
    throw error;
  }
}

/** The path without symbolic links, so that all paths of a file share its lock; also for a file that is not there yet. */
function realPath(path: string): string {
  const fs = builtinModule('node:fs');
  const { basename, dirname, join } = builtinModule('node:path');
  try {
    return fs.realpathSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw deviceError(`open ${path}`, error);
  }
  try {
    return join(fs.realpathSync(dirname(path)), basename(path));
  } catch (error) {
    throw deviceError(`open ${path}`, error);
  }
}

function openOrMake(
  path: string,
  { create, nrBlocks, lock }: { create: boolean | 'new'; nrBlocks: number; lock: FileLock | undefined },
): OpenFile {
  if (create === false) return openRegular(path, 'r+', lock);
  try {
    return makeRegular(path, nrBlocks, lock);
  } catch (error) {
    if (systemCode((error as Error).cause) !== 'EEXIST') throw error;
    if (create === 'new') throw alreadyThere(path);
    return openRegular(path, 'r+', lock);
  }
}

function openRegular(path: string, flags: 'r' | 'r+', lock: FileLock | undefined): OpenFile {
  const fs = builtinModule('node:fs');
  const fd = open(path, flags);
  return { fd, sizeBytes: fs.fstatSync(fd).size, isBlockDevice: false, lock };
}

function makeRegular(path: string, nrBlocks: number, lock: FileLock | undefined): OpenFile {
  const fs = builtinModule('node:fs');
  const fd = open(path, 'wx+');
  try {
    fs.ftruncateSync(fd, nrBlocks * BLOCK_SIZE);
    fs.fsyncSync(fd);
    flushFolderOf(path);
    return { fd, sizeBytes: nrBlocks * BLOCK_SIZE, isBlockDevice: false, lock };
  } catch (error) {
    fs.closeSync(fd);
    removeFile(path);
    throw deviceError(`make ${path}`, error);
  }
}

/** A new file's name is durable only when its directory is. Windows has no such call and needs none. */
export function flushFolderOf(path: string): void {
  const fs = builtinModule('node:fs');
  const { dirname } = builtinModule('node:path');
  if (process.platform === 'win32') return;
  const fd = fs.openSync(dirname(path), 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function openBlockDevice(path: string, { readOnly, exclusive }: { readOnly: boolean; exclusive: boolean }): OpenFile {
  const fs = builtinModule('node:fs');
  const { O_RDONLY, O_RDWR, O_EXCL } = fs.constants;
  const fd = open(path, (readOnly ? O_RDONLY : O_RDWR) | (exclusive ? O_EXCL : 0));
  try {
    return { fd, sizeBytes: blockDeviceBytes(path, fs.fstatSync(fd)), isBlockDevice: true, lock: undefined };
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

/** A block device's own size is 0; sysfs has it, in 512-byte sectors. */
function blockDeviceBytes(path: string, { rdev }: Stats): number {
  // The C library's packing: 12 bits of the major number above 8 of the minor, the rest of both in the high bits.
  const low = rdev % 2 ** 32;
  const high = Math.floor(rdev / 2 ** 32);
  const major = ((low >>> 8) & 0xfff) | (high & ~0xfff);
  const minor = (low & 0xff) | ((low >>> 12) & ~0xff);
  const source = `/sys/dev/block/${major}:${minor}/size`;
  try {
    return Number(builtinModule('node:fs').readFileSync(source, 'latin1')) * 512;
  } catch (cause) {
    throw new UnsupportedError(`Cannot open ${path}: ${source} cannot be read, it is needed for the size`, { cause });
  }
}

function open(path: string, flags: string | number): number {
  try {
    return builtinModule('node:fs').openSync(path, flags, 0o666);
  } catch (cause) {
    throw openError(path, cause);
  }
}

function openError(path: string, cause: unknown): DeviceError | Error {
  if (systemCode(cause) === 'EBUSY') {
    return new LockedError(`Cannot open ${path}: it is in use by another process or mounted`, undefined, { cause });
  }
  return systemCode(cause) === 'ENOENT' ? notThere(path, cause) : deviceError(`open ${path}`, cause);
}

function statOf(path: string): Stats | undefined {
  try {
    return builtinModule('node:fs').statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw deviceError(`open ${path}`, cause);
  }
}

function notThere(path: string, cause?: unknown): StateError {
  return new StateError(`Cannot open ${path}: it does not exist`, { cause });
}

function alreadyThere(path: string): StateError {
  return new StateError(`Cannot make ${path}: it exists already`);
}
