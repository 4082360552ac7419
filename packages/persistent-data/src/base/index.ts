/**
 * base: assertions, errors, u64 halves, memory views, the one clock, WebAssembly by hand.
 *
 * Promises nothing about disks; imports nothing. Counterparts in the kernel: BUG_ON, errno, `__le64`.
 *
 * @module
 */
/// <reference lib="esnext.disposable" preserve="true" />
export { AssertionError, assert, verify, verifyEnabled } from './assert.ts';
export { monotonicMs, unixMs } from './clock.ts';
export {
  CorruptionError,
  type CorruptionPlace,
  DeviceError,
  LockedError,
  type LockHolder,
  NoSpaceError,
  ParseError,
  PersistentDataError,
  ProtocolError,
  ReadOnlyError,
  type Space,
  StateError,
  UnsupportedError,
  WouldBlockError,
} from './errors.ts';
export { type CheckSeverity, type Finding, isFatal } from './finding.ts';
export { Slab } from './slab.ts';
export { compareHalves, highHalf, joinHalves, joinKey, lowHalf, TWO_POW_32, type U64 } from './u64.ts';
export * as wasm from './wasm-code.ts';
