/** The data device of a pool, as commands open it. */

import { fstatSync, openSync } from 'node:fs';
import { FileDevice } from 'persistent-data/io';
import { checkInputFile } from './files.ts';

/** A data device that is open, and its length. */
export interface DataDevice {
  readonly path: string;
  readonly fd: number;
  readonly sizeBytes: number;
  readonly isBlockDevice: boolean;
}

/** Opens a data device. @throws {Error} unless it is a file or block device. */
export function openDataDevice(path: string, flags: 'r' | 'r+'): DataDevice {
  checkInputFile(path);
  const fd = openSync(path, flags);
  const stats = fstatSync(fd);
  if (!stats.isBlockDevice()) return { path, fd, sizeBytes: stats.size, isBlockDevice: false };
  const device = FileDevice.open(path, { readOnly: true, exclusive: false });
  try {
    return { path, fd, sizeBytes: device.nrBlocks * 4096, isBlockDevice: true };
  } finally {
    device.close();
  }
}
