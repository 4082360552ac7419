import { builtinModule } from './platform.ts';
import { deviceError, systemCode } from './system-error.ts';

/**
 * Removes a file if it is there. By `unlink`: `rm` loads a part of Node at its first call, and work that is cut off in the middle of that (see
 * `FileLock.releaseAll`) would leave a Node that can remove no file any more.
 *
 * @throws {DeviceError} when it is there and stays.
 */
export function removeFile(path: string): void {
  try {
    builtinModule('node:fs').unlinkSync(path);
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') throw deviceError(`remove ${path}`, cause);
  }
}
