/** A pool that Linux or LVM has made, as a server opens it: metadata and data, volumes by their ids. */

import { CorruptionError, ReadOnlyError, StateError } from 'persistent-data';
import { type BlockDevice, FileDevice, MemoryDevice } from 'persistent-data/io';
import { dumpThin, findRoots, planRepair, repairedView, ThinRestore } from 'persistent-data/thin';
import { FileData, ThinPool } from 'persistent-data/thin-pool';
import type { ServeLog } from './serve-log.ts';
import type { PoolFigures } from './serve-metrics.ts';
import { parseBytes } from './size-text.ts';
import { UsageError } from './usage-error.ts';

const BLOCK_BYTES = 4096;

export interface ForeignPool {
  readonly thinPool: ThinPool;
  readonly readOnly: boolean;
  /** The metadata does not know sizes: where none was given they go up to the last block that is mapped. */
  readonly volumes: readonly { readonly id: number; readonly sizeBytes: number }[];
  figures(): Omit<PoolFigures, 'nrVolumes'>;
  close(): Promise<void>;
}

/** Opens a pool by its two devices. What is damaged is opened read-only, with what a repair would save; nothing is written then. */
export function openForeignPool(options: {
  readonly metadata: string;
  readonly data: string;
  readonly readOnly: boolean;
  /** Bytes, by volume. */
  readonly sizes: ReadonlyMap<number, number>;
  readonly log: ServeLog;
}): ForeignPool {
  const { readOnly, sizes, log } = options;
  const metadata = FileDevice.open(options.metadata, { readOnly });
  try {
    const data = FileData.open(options.data, { readOnly });
    try {
      return openWith(metadata, data, { readOnly, sizes });
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      if (!readOnly) {
        const advice = 'repair it, or serve with --read-only what can be read of it';
        throw new ReadOnlyError(`${error.message}: ${advice}`, { cause: error });
      }
      log.write({ level: 'warning', event: 'damaged', message: `${error.message}; serving what can be saved of it` });
      return openWith(salvaged(metadata), data, { readOnly, sizes });
    }
  } catch (error) {
    metadata.close();
    throw error;
  }
}

function openWith(
  metadata: BlockDevice,
  data: FileData,
  { readOnly, sizes }: { readonly readOnly: boolean; readonly sizes: ReadonlyMap<number, number> },
): ForeignPool {
  const thinPool = ThinPool.open({ metadata, data, readOnly });
  const ids = thinPool.devices().map(({ id }) => id);
  for (const id of sizes.keys()) {
    if (!ids.includes(id)) throw new StateError(`Cannot give volume ${id} a size: the pool has ${listOf(ids)}`);
  }
  const volumes = ids.map((id) => ({ id, sizeBytes: sizes.get(id) ?? mappedEnd(thinPool, id) }));
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

/** The byte behind the last block that is mapped. */
function mappedEnd(pool: ThinPool, id: number): number {
  const thin = pool.metadata.openThin(id);
  try {
    return ((thin.highestMapped ?? -1) + 1) * pool.blockBytes;
  } finally {
    thin.close();
  }
}

/** Ids for a message. */
export function listOf(ids: readonly number[]): string {
  if (ids.length === 0) return 'no volumes';
  return ids.length > 20 ? `${ids.slice(0, 20).join(', ')} and ${ids.length - 20} more` : ids.join(', ');
}

/** Sizes as they are given on the command line: `ID=SIZE`. @throws {UsageError} */
export function parseSizes(texts: readonly string[]): ReadonlyMap<number, number> {
  const option = '--size <ID=SIZE>';
  return new Map(
    texts.map((text) => {
      const [, id, size] = /^(\d{1,8})=(.+)$/.exec(text) ?? [];
      if (id === undefined) throw new UsageError(`invalid value '${text}' for '${option}': such as 7=10G is wanted`);
      const bytes = parseBytes(size!, option);
      if (bytes % 512 === 0) return [Number(id), bytes];
      throw new UsageError(`invalid value '${text}' for '${option}': a multiple of 512 bytes is wanted`);
    }),
  );
}

/** What `thin_repair` would write, in memory. */
function salvaged(metadata: BlockDevice): MemoryDevice {
  const target = new MemoryDevice({ nrBlocks: Math.max(metadata.nrBlocks, 1024) });
  dumpThin(repairedView(metadata, planRepair(findRoots(metadata))), new ThinRestore(target));
  return target;
}
