import { BLOCK_SIZE } from '../io/index.ts';
import type { PoolStatus } from '../thin-pool/index.ts';
import type { NamedPoolStatus } from './options.ts';
import { hostFreeBytes } from './pool-folder.ts';
import type { Registry } from './registry.ts';

/** How a pool is, in bytes. */
export function namedStatus(info: PoolStatus, registry: Registry, folder: string | undefined): NamedPoolStatus {
  const rows = registry.rows();
  return {
    uuid: registry.uuid,
    mode: info.mode,
    reason: info.reason,
    transactionId: Number(info.transactionId),
    blockBytes: info.blockBytes,
    dataBytes: info.nrDataBlocks * info.blockBytes,
    usedDataBytes: info.usedDataBlocks * info.blockBytes,
    metadataBytes: info.nrMetadataBlocks * BLOCK_SIZE,
    usedMetadataBytes: info.usedMetadataBlocks * BLOCK_SIZE,
    nrVolumes: rows.length,
    promisedBytes: rows.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    nrWaiting: info.nrWaiting,
    needsCheck: info.needsCheck,
    hostFreeBytes: folder === undefined ? undefined : hostFreeBytes(folder),
  };
}
