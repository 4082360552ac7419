import { ThinMetadata } from '../thin/index.ts';
import type { PoolCreateOptions } from './options.ts';
import { makePoolFolder, metadataBlocksFor, type PoolDevices } from './pool-folder.ts';
import { Registry } from './registry.ts';

const DEFAULT_SIZE_BYTES = 16 * 2 ** 30;
const DEFAULT_BLOCK_BYTES = 64 * 1024;
const MIN_BLOCK_BYTES = 64 * 1024;
const MAX_BLOCK_BYTES = 2 ** 30;

/** Makes a pool without volumes, in a folder or on devices. @throws as `Pool.create` says. */
export function formatPool(where: string | PoolDevices, options: PoolCreateOptions): void {
  const { sizeBytes = DEFAULT_SIZE_BYTES, blockBytes = DEFAULT_BLOCK_BYTES } = options;
  if (!(blockBytes % MIN_BLOCK_BYTES === 0 && blockBytes >= MIN_BLOCK_BYTES && blockBytes <= MAX_BLOCK_BYTES)) {
    const wanted = `a multiple of ${MIN_BLOCK_BYTES} (64 KiB) up to ${MAX_BLOCK_BYTES} (1 GiB)`;
    throw new RangeError(`Cannot make a pool with blocks of ${blockBytes} bytes: ${wanted} is wanted`);
  }
  if (!(Number.isSafeInteger(sizeBytes) && sizeBytes >= blockBytes)) {
    throw new RangeError(`Cannot make a pool of ${sizeBytes} bytes: at least a block of ${blockBytes} is wanted`);
  }
  const fill = ({ metadata, data, registry }: PoolDevices): void => {
    const nrDataBlocks = Math.floor(data.sizeBytes / blockBytes);
    ThinMetadata.format(metadata, { dataBlockSizeSectors: blockBytes / 512, nrDataBlocks }).close();
    Registry.format(registry, { uuid: globalThis.crypto.randomUUID(), blockBytes }).close();
  };
  if (typeof where !== 'string') fill(where);
  else makePoolFolder(where, { metadataBlocks: metadataBlocksFor(sizeBytes, blockBytes), dataBytes: sizeBytes }, fill);
}
