import type { ThinDevice } from '../thin/index.ts';
import type { ReadableData } from './data-device.ts';
import { MappingCache, UNMAPPED } from './mapping-cache.ts';
import type { WaitPlace } from './wait-list.ts';

/** An open volume, as the parts of the pool see it. */
export class VolumeState implements WaitPlace {
  readonly id: number;
  readonly blockBytes: number;
  readonly cache: MappingCache;
  /** What unmapped blocks show. */
  readonly origin: ReadableData | undefined;
  readonly readOnly: boolean;
  thin: ThinDevice;
  sizeBytes: number;
  nrWaiting = 0;
  isClosed = false;

  constructor(
    thin: ThinDevice,
    options: {
      readonly blockBytes: number;
      readonly sizeBytes: number;
      readonly nrSlots: number;
      readonly origin?: ReadableData | undefined;
      readonly readOnly?: boolean | undefined;
    },
  ) {
    this.id = thin.id;
    this.thin = thin;
    this.blockBytes = options.blockBytes;
    this.sizeBytes = options.sizeBytes;
    this.origin = options.origin;
    this.readOnly = options.readOnly ?? false;
    this.cache = new MappingCache(options.nrSlots);
  }

  /** The cache's slot of a virtual block; looks it up where it is not known. */
  locate(block: number): number {
    const { cache } = this;
    const slot = cache.find(block);
    if (slot >= 0) return slot;
    const found = this.thin.find(block);
    if (found === undefined) return cache.set(block, UNMAPPED, false);
    return cache.set(block, found.dataBlock * this.blockBytes, found.shared);
  }
}
