import { type BlockDevice, MemoryDevice } from '../../packages/persistent-data/src/io/index.ts';
import { ThinMetadata, type ThinMetadataOptions } from '../../packages/persistent-data/src/thin/index.ts';
import { checkPool } from './check-pool.ts';
import { RecordingDevice } from './recording-device.ts';

export interface ThinFixtureOptions extends ThinMetadataOptions {
  readonly nrMetadataBlocks?: number;
  readonly nrDataBlocks?: number;
  /** Under the recording device; a device in memory by default. */
  readonly device?: BlockDevice;
}

/** A thin pool in memory, just formatted. */
export class ThinFixture {
  readonly device: RecordingDevice;
  readonly options: ThinMetadataOptions;
  pool: ThinMetadata;

  constructor(options: ThinFixtureOptions = {}) {
    const { nrMetadataBlocks = 256, nrDataBlocks = 1000, device, ...others } = options;
    this.device = new RecordingDevice(device ?? new MemoryDevice({ nrBlocks: nrMetadataBlocks }));
    this.options = { cacheBlocks: 128, ...others };
    this.pool = ThinMetadata.format(this.device, { ...this.options, dataBlockSizeSectors: 128, nrDataBlocks });
  }

  /** Maps `count` virtual blocks of device `id` to fresh data blocks. Answers these. What fails early owns nothing afterwards. */
  provision(id: number, begin: number, count = 1): number[] {
    const { pool } = this;
    const device = pool.openThin(id);
    try {
      return Array.from({ length: count }, (_, i) => {
        const block = pool.allocateDataBlock();
        try {
          device.insert(begin + i, block);
        } catch (error) {
          if (pool.core.tm.broken === undefined) pool.decDataRange(block, block + 1);
          throw error;
        }
        return block;
      });
    } finally {
      device.close();
    }
  }

  /** Virtual blocks of `begin..end` with their data blocks; `!` where shared. */
  mapped(id: number, begin = 0, end = 1000): string {
    const device = this.pool.openThin(id);
    const found: string[] = [];
    for (let b = begin; b < end; b++) {
      const mapping = device.find(b);
      if (mapping !== undefined) found.push(`${b}:${mapping.dataBlock}${mapping.shared ? '!' : ''}`);
    }
    device.close();
    return found.join(' ');
  }

  unmap(id: number, begin: number, end: number): number {
    const device = this.pool.openThin(id);
    const count = device.removeRange(begin, end);
    device.close();
    return count;
  }

  /** Closes and opens again. */
  reopen(): void {
    this.pool.close();
    this.pool = ThinMetadata.open(this.device, this.options);
  }

  /** As if the program had ended without closing. */
  crash(): void {
    this.pool = ThinMetadata.open(this.device, this.options);
  }

  check(isCommitted = !this.pool.changedThisTransaction, ownedData?: ReadonlyMap<number, number>): void {
    checkPool(this.pool, this.device, { isCommitted, ...(ownedData ? { ownedData } : {}) });
  }
}
