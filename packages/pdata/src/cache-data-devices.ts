/** The fast device and the origin of a cache, as commands open them. */

import { closeSync, fdatasyncSync, readSync, writeSync } from 'node:fs';
import type { DataDevice } from 'persistent-data/cache';
import type { Arguments } from './arguments.ts';
import { type DataDevice as OpenDevice, openDataDevice } from './data-device.ts';
import { refuseSameFile } from './files.ts';

const SECTOR = 512;
const PAGE = 4096;

/** Both devices, open. */
export interface CacheDataDevices {
  readonly fast: DataDevice;
  readonly origin: DataDevice;
  /** In bytes. */
  readonly fastOffset: number;
  readonly originOffset: number;
  close(): void;
}

/** Opens what `--fast-device` and `--origin-device` name. @throws {Error} when they are one device, or offsets are not whole pages. */
export function openCacheDataDevices(args: Arguments): CacheDataDevices {
  const fastOffset = SECTOR * (args.number('fast-device-offset') ?? 0);
  const originOffset = SECTOR * (args.number('origin-device-offset') ?? 0);
  if (fastOffset % PAGE !== 0 || originOffset % PAGE !== 0) throw new Error('offsets must be page aligned');
  const fast = openDataDevice(args.required('fast-device'), 'r');
  try {
    const origin = openDataDevice(args.required('origin-device'), 'r+');
    try {
      refuseSameFile(fast.path, origin.path);
    } catch (error) {
      closeSync(origin.fd);
      throw error;
    }
    const close = (): void => {
      closeSync(fast.fd);
      closeSync(origin.fd);
    };
    return { fast: deviceOf(fast), origin: deviceOf(origin), fastOffset, originOffset, close };
  } catch (error) {
    closeSync(fast.fd);
    throw error;
  }
}

function deviceOf({ fd, sizeBytes }: OpenDevice): DataDevice {
  return {
    sizeBytes,
    read: (target, offset) => {
      for (let done = 0; done < target.length; ) {
        const count = readSync(fd, target, done, target.length - done, offset + done);
        if (count === 0) throw new Error(`the device ends at ${offset + done}`);
        done += count;
      }
    },
    write: (source, offset) => {
      for (let done = 0; done < source.length; ) {
        done += writeSync(fd, source, done, source.length - done, offset + done);
      }
    },
    flush: () => fdatasyncSync(fd),
  };
}
