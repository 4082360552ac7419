import { LockedError, StateError } from '../base/index.ts';
import { BLOCK_SIZE, type BlockDevice, deviceError, FileDevice, removeFile } from '../io/index.ts';
import { builtinModule } from '../io/platform.ts';
import { type DataDevice, FileData } from '../thin-pool/index.ts';

/** The files of a pool's folder. `run` is a folder for sockets. */
export const POOL_FILES = { metadata: 'metadata', data: 'data', registry: 'registry', run: 'run' } as const;

/** The registry's name until a pool is whole: who finds it has found a pool that was never finished. */
const UNFINISHED = 'registry.new';

/** The devices of a pool. Files of a folder, or whatever a program has. */
export interface PoolDevices {
  readonly metadata: BlockDevice;
  readonly data: DataDevice;
  readonly registry: BlockDevice;
}

/** What a folder is, seen from outside. */
export type FolderKind = 'missing' | 'empty' | 'unfinished' | 'pool' | 'foreign';

function join(folder: string, name: string): string {
  return builtinModule('node:path').join(folder, name);
}

/** Says what a folder is, by the names of the files in it. @throws {DeviceError} when it can't be read. */
export function kindOfFolder(folder: string): FolderKind {
  let names: string[];
  try {
    names = builtinModule('node:fs').readdirSync(folder);
  } catch (cause) {
    const { code } = cause as { code?: string };
    if (code === 'ENOENT') return 'missing';
    if (code === 'ENOTDIR') return 'foreign';
    throw deviceError(`read the folder ${folder}`, cause);
  }
  const has = (name: string): boolean => names.includes(name);
  if (has(POOL_FILES.registry) && has(POOL_FILES.metadata) && has(POOL_FILES.data)) return 'pool';
  if (has(UNFINISHED) && !has(POOL_FILES.registry)) return 'unfinished';
  return names.every((name) => name === 'lost+found') ? 'empty' : 'foreign';
}

/**
 * Opens the files of a pool. The registry comes first, so that its lock is the one that names the holder.
 * @throws {StateError} when the folder holds none, or one that was never finished.
 * @throws {LockedError} when another process has it.
 */
export function openPoolFolder(folder: string, { readOnly }: { readonly readOnly: boolean }): PoolDevices {
  const kind = kindOfFolder(folder);
  if (kind !== 'pool') throw new StateError(`Cannot open pool ${folder}: ${WHY_NOT[kind]}`);
  const opened: { close(): void }[] = [];
  const keep = <D extends { close(): void }>(device: D): D => {
    opened.push(device);
    return device;
  };
  try {
    const registry = keep(FileDevice.open(join(folder, POOL_FILES.registry), { readOnly }));
    const metadata = keep(FileDevice.open(join(folder, POOL_FILES.metadata), { readOnly }));
    const data = keep(FileData.open(join(folder, POOL_FILES.data), { readOnly }));
    return { registry, metadata, data };
  } catch (error) {
    for (const device of opened) device.close();
    throw error instanceof LockedError ? inUse(folder, error) : error;
  }
}

const WHY_NOT: Readonly<Record<Exclude<FolderKind, 'pool'>, string>> = {
  missing: 'there is no such folder',
  empty: 'the folder is empty, a pool has to be made in it first',
  unfinished: 'its making was broken off; it holds nothing, make it again',
  foreign: 'this is no pool: a folder with the files registry, metadata and data is wanted',
};

function inUse(folder: string, error: LockedError): LockedError {
  const { holder } = error;
  if (holder === undefined) return error;
  const { pid, host, since } = holder;
  return new LockedError(`Cannot open pool ${folder}: process ${pid} on ${host} has it open since ${since}`, holder);
}

/**
 * Makes the files of a pool in a folder that is missing, empty, or holds a pool that was never finished. `fill` makes the content and closes nothing; the
 * pool is there when everything is durable, and not before.
 * @throws {StateError} when something else is there.
 */
export function makePoolFolder(
  folder: string,
  sizes: { readonly metadataBlocks: number; readonly dataBytes: number },
  fill: (devices: PoolDevices) => void,
): void {
  const fs = builtinModule('node:fs');
  const kind = kindOfFolder(folder);
  if (kind === 'pool') throw new StateError(`Cannot make pool ${folder}: there is one already`);
  if (kind === 'foreign') throw new StateError(`Cannot make pool ${folder}: the folder holds something else`);
  const path = (name: string): string => join(folder, name);
  try {
    fs.mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw deviceError(`make the folder ${folder}`, cause);
  }
  // First, so that what is half made is known as such; with its lock, so that no two make it.
  const registry = FileDevice.open(path(UNFINISHED), { create: true });
  try {
    registry.resize!(0);
    for (const name of [POOL_FILES.metadata, POOL_FILES.data]) removeFile(path(name));
    const metadata = FileDevice.open(path(POOL_FILES.metadata), { create: 'new', nrBlocks: sizes.metadataBlocks });
    try {
      const data = FileData.open(path(POOL_FILES.data), { create: 'new', sizeBytes: sizes.dataBytes });
      try {
        fill({ metadata, data, registry });
        for (const device of [data, metadata, registry]) device.flush();
      } finally {
        data.close();
      }
    } finally {
      metadata.close();
    }
    fs.mkdirSync(path(POOL_FILES.run), { recursive: true, mode: 0o700 });
    rename(path(UNFINISHED), path(POOL_FILES.registry));
  } finally {
    registry.close();
  }
}

/** Renames within a folder, durably. */
function rename(from: string, to: string): void {
  const fs = builtinModule('node:fs');
  try {
    fs.renameSync(from, to);
    const fd = fs.openSync(builtinModule('node:path').dirname(to), 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  } catch (cause) {
    throw deviceError(`rename ${from}`, cause);
  }
}

/** Free bytes of the file system that a folder is on, for who is not root. */
export function hostFreeBytes(folder: string): number {
  const { bavail, bsize } = builtinModule('node:fs').statfsSync(folder);
  return bavail * bsize;
}

/** The default length of a pool's metadata in blocks: what a kernel's tools would take, at least 4 MiB; it grows by itself. */
export function metadataBlocksFor(dataBytes: number, blockBytes: number): number {
  const bytes = Math.max(4 * 2 ** 20, Math.min((dataBytes / blockBytes) * 64, 256 * 2 ** 20));
  return Math.ceil(bytes / BLOCK_SIZE);
}
