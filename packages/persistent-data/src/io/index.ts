/**
 * `io`: the block device, the one way in which everything above reaches a disk; and its kinds: a file or block device of the
 * system, memory, a device made read-only, a window into a device.
 *
 * Promises: what {@link BlockDevice} says, on each kind; one writer per file ({@link FileLock}). Needs: `base`, and for files a
 * host with `node:fs`, taken only when a file is opened. Counterpart in the kernel: `struct block_device` and `dm-bufio`'s I/O.
 *
 * @module
 */
export { BLOCK_SIZE, type BlockDevice } from './block-device.ts';
export { checkLength, checkOpen, checkRange, checkRun, MAX_BLOCKS } from './block-run.ts';
export { FileDevice } from './file-device.ts';
export { FileLock } from './file-lock.ts';
export { type FileDeviceOptions, type OpenFile, openFile } from './file-open.ts';
export { MemoryDevice } from './memory-device.ts';
export { ReadOnlyDevice, type WrapperOptions } from './read-only-device.ts';
export { removeFile } from './remove-file.ts';
export { realFile, replaceFile } from './replace-file.ts';
export { deviceError } from './system-error.ts';
export { transferAll, type VectoredCall } from './vectored.ts';
export { WindowDevice, type WindowOptions } from './window-device.ts';
