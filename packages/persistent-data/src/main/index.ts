/**
 * main: the package root, which most programs import: the `Store`, its codecs, and the errors of the whole library. The layers have paths
 * of their own: `persistent-data/thin`, `persistent-data/btree`, `persistent-data/io`, …
 *
 * @module
 */
export {
  AssertionError,
  CorruptionError,
  type CorruptionPlace,
  DeviceError,
  type Finding,
  isFatal,
  LockedError,
  type LockHolder,
  NoSpaceError,
  ParseError,
  PersistentDataError,
  ProtocolError,
  ReadOnlyError,
  StateError,
  type U64,
  UnsupportedError,
  WouldBlockError,
} from '../base/index.ts';
export * from '../store/index.ts';
