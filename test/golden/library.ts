/** The library under test, as the suites of `golden`, `oracle` and `interop` want it. The one place that knows its names. */

import type { Finding } from 'persistent-data/base';
import type { BlockDevice } from 'persistent-data/io';
import * as thin from 'persistent-data/thin';
import type { MetadataFactory } from './metadata.ts';

/** What `persistent-data/thin` is to have; a name is `undefined` as long as it has not. */
interface ThinLayer {
  readonly ThinMetadata?: MetadataFactory;
  readonly checkThin?: (device: BlockDevice) => Iterable<Finding>;
  readonly dumpThin?: (device: BlockDevice, options: DumpOptions, visitor: unknown) => void;
  /** Takes what it is told and writes it to `device`; done when the superblock has ended. */
  readonly restoreThin?: (device: BlockDevice) => unknown;
  readonly ThinXmlWriter?: new (sink: (text: Uint8Array) => void) => unknown;
  readonly readThinXml?: (source: Iterable<Uint8Array>, visitor: unknown) => void;
}

interface DumpOptions {
  readonly metadataSnapshot?: boolean;
}

const { ThinMetadata, dumpThin, restoreThin, ThinXmlWriter, readThinXml, checkThin: check } = thin as ThinLayer;

/** Thin metadata, for replaying. */
export const thinMetadata = ThinMetadata;

/** Checks a device: what it finds wrong. */
export const checkThin = check;

/** The XML of a device, as thin_dump of 1.x prints it. */
export const dumpThinXml =
  dumpThin &&
  ThinXmlWriter &&
  ((device: BlockDevice, options: DumpOptions = {}): string => {
    const decoder = new TextDecoder();
    let text = '';
    const writer = new ThinXmlWriter((piece) => {
      text += decoder.decode(piece, { stream: true });
    });
    dumpThin(device, options, writer);
    return text;
  });

/** Writes a pool's metadata out of XML. */
export const restoreThinXml =
  restoreThin &&
  readThinXml &&
  ((device: BlockDevice, xml: string): void => readThinXml([new TextEncoder().encode(xml)], restoreThin(device)));
