/** A pool that Linux or LVM has made, as a server opens it: metadata and data, volumes by their ids. */

import { CorruptionError, ReadOnlyError } from 'persistent-data';
import { type BlockDevice, FileDevice, MemoryDevice } from 'persistent-data/io';
import { dumpThin, findRoots, planRepair, repairedView, ThinRestore } from 'persistent-data/thin';
import { FileData, ThinPool } from 'persistent-data/thin-pool';
import type { ServeLog } from './serve-log.ts';
import type { PoolFigures } from './serve-metrics.ts';

const BLOCK_BYTES = 4096;

export interface ForeignPool {
  readonly thinPool: ThinPool;
  readonly readOnly: boolean;
  /** The metadata does not know sizes: these go up to the last block that is mapped. */
  readonly volumes: readonly { readonly id: number; readonly sizeBytes: number }[];
  figures(): Omit<PoolFigures, 'nrVolumes'>;
  close(): Promise<void>;
}

/** Opens a pool by its two devices. What is damaged is opened read-only, with what a repair would save; nothing is written then. */
export function openForeignPool(options: {
  readonly metadata: string;
  readonly data: string;
  readonly readOnly: boolean;
  readonly log: ServeLog;
}): ForeignPool {
  const { readOnly, log } = options;
  const metadata = FileDevice.open(options.metadata, { readOnly });
  try {
    const data = FileData.open(options.data, { readOnly });
    try {
      return openWith(metadata, data, readOnly);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      if (!readOnly) {
        const advice = 'repair it, or serve with --read-only what can be read of it';
        throw new ReadOnlyError(`${error.message}: ${advice}`, { cause: error });
      }
      log.write({ level: 'warning', event: 'damaged', message: `${error.message}; serving what can be saved of it` });
      return openWith(salvaged(metadata), data, readOnly);
    }
  } catch (error) {
    metadata.close();
    throw error;
  }
}

function openWith(metadata: BlockDevice, data: FileData, readOnly: boolean): ForeignPool {
  const thinPool = ThinPool.open({ metadata, data, readOnly });
  const volumes = thinPool.devices().map(({ id }) => {
    const thin = thinPool.metadata.openThin(id);
    const sizeBytes = ((thin.highestMapped ?? -1) + 1) * thinPool.blockBytes;
    thin.close();
    return { id, sizeBytes };
  });
  return {
    thinPool,
    readOnly,
    volumes,
    figures: () => {
      const { mode, nrWaiting, blockBytes, ...info } = thinPool.info;
      return {
        mode,
        nrWaiting,
        dataBytes: info.nrDataBlocks * blockBytes,
        usedDataBytes: info.usedDataBlocks * blockBytes,
        metadataBytes: info.nrMetadataBlocks * BLOCK_BYTES,
        usedMetadataBytes: info.usedMetadataBlocks * BLOCK_BYTES,
      };
    },
    close: async () => {
      await thinPool.close();
      data.close();
      metadata.close();
    },
  };
}

/** What `thin_repair` would write, in memory. */
function salvaged(metadata: BlockDevice): MemoryDevice {
  const target = new MemoryDevice({ nrBlocks: Math.max(metadata.nrBlocks, 1024) });
  dumpThin(repairedView(metadata, planRepair(findRoots(metadata))), new ThinRestore(target));
  return target;
}
