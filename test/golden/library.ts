/** The library under test, as the suites of `golden`, `oracle` and `interop` want it. The one place that knows its names. */

import type { Finding } from 'persistent-data/base';
import type { BlockDevice } from 'persistent-data/io';
import * as thin from 'persistent-data/thin';
import type { MetadataFactory } from './metadata.ts';

/** What `persistent-data/thin` is to have; a name is `undefined` as long as it has not. */
interface ThinLayer {
  readonly ThinMetadata?: MetadataFactory;
  readonly checkThin?: (device: BlockDevice) => Iterable<Finding>;
  /** The XML of a device, as thin_dump of 1.x prints it. */
  readonly dumpThinXml?: (device: BlockDevice, options?: { readonly metadataSnapshot?: boolean }) => string;
  /** Writes a pool's metadata out of XML. */
  readonly restoreThinXml?: (device: BlockDevice, xml: string) => void;
}

export const { ThinMetadata: thinMetadata, checkThin, dumpThinXml, restoreThinXml }: ThinLayer = thin as ThinLayer;
