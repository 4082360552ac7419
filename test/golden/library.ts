/** The library under test, as the suites of `golden`, `oracle` and `interop` want it. The one place that knows its names. */

import type { Finding } from 'persistent-data/base';
import type { BlockDevice } from 'persistent-data/io';
import * as thin from 'persistent-data/thin';
import type { MetadataFactory } from './metadata.ts';

/** What `persistent-data/thin` is to have; a name is `undefined` as long as it has not. */
interface ThinLayer {
  readonly ThinMetadata?: MetadataFactory;
  readonly checkThin?: (device: BlockDevice) => Iterable<Finding>;
  readonly dumpThinXml?: (device: BlockDevice, options?: DumpOptions) => string;
  readonly restoreThinXml?: (device: BlockDevice, xml: string) => void;
}

interface DumpOptions {
  readonly metadataSnapshot?: boolean;
}

const layer: ThinLayer = thin as ThinLayer;

/** Thin metadata, for replaying. */
export const thinMetadata = layer.ThinMetadata;

/** Checks a device: what it finds wrong. */
export const checkThin = layer.checkThin;

/** The XML of a device, as thin_dump of 1.x prints it. */
export const dumpThinXml = layer.dumpThinXml;

/** Writes a pool's metadata out of XML. */
export const restoreThinXml = layer.restoreThinXml;
