/** The library under test, as the harness wants it. */

import * as thin from 'persistent-data/thin';
import type { MetadataFactory } from './metadata.ts';

/** `ThinMetadata`; `undefined` as long as `persistent-data/thin` has none. */
export const thinMetadata = (thin as { readonly ThinMetadata?: MetadataFactory }).ThinMetadata;
