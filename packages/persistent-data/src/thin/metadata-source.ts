import type { BlockDevice } from '../io/index.ts';
import { ThinMetadata } from './metadata.ts';

/** The device to read a pool from: of an open one what its last commit left there. */
export function metadataDevice(source: BlockDevice | ThinMetadata): BlockDevice {
  return source instanceof ThinMetadata ? source.device : source;
}
