/*
 * The tools over a pool's metadata besides checking, dumping and restoring it.
 */
export { type PoolShape, thinMetadataBytes } from './metadata-size.ts';
export {
  type PackOptions,
  type PackSource,
  type PackSummary,
  packMetadata,
  type UnpackOptions,
  unpackMetadata,
  type ZlibCodec,
} from './pack.ts';
