/**
 * store: named collections in one crash-safe file, with transactions, snapshots that are writable and cost O(1), and diffs. The embedded default.
 *
 * Promises: after a crash at any moment the store opens as after its last acknowledged commit or a later one; a small commit is one write and one
 * flush; a change that throws leaves nothing behind. Needs from below: btrees, arrays and bitsets over a metadata space map. No counterpart in the
 * kernel: the format is ours (docs/format.md, "Store").
 *
 * @module
 */
export { bool, type Codec, date, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, type ValueOf } from './codec.ts';
export { bytes, str } from './codec-bytes.ts';
export { arrayOf, type CodecSpec, codecOf, type Fields, type SpecValue, struct } from './codec-struct.ts';
export type { StoreEvents } from './events.ts';
export { Snapshot } from './snapshot.ts';
export { Store, type StoreOptions, type StoreStatistics } from './store.ts';
export { StoreArray } from './store-array.ts';
export { StoreBitset } from './store-bitset.ts';
export { type CollectionChange, type ElementChange, StoreDiff, type TreeChange } from './store-diff.ts';
export {
  type ArraySpec,
  type BitsetSpec,
  type CollectionInfo,
  type KeyCount,
  type KeyOf,
  StoreState,
  type TreeSpec,
} from './store-state.ts';
export { type Bound, type RangeOptions, StoreTree } from './store-tree.ts';
export { StoreView } from './store-view.ts';
