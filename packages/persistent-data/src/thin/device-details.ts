import { CorruptionError, highHalf, joinKey, lowHalf, type U64 } from '../base/index.ts';
import { readU64, type ValueType, writeU64 } from '../btree/index.ts';
import { DEVICE_DETAILS } from '../format/index.ts';

/** What a pool knows of a thin device besides its mappings. */
export interface DeviceDetails {
  /** Virtual blocks that are mapped. */
  readonly mappedBlocks: number;
  /** The pool's transaction id when the device was made. */
  readonly transactionId: U64;
  /** The pool's snapshot clock when the device was made. */
  readonly creationTime: number;
  /** The pool's snapshot clock when the device last took part in a snapshot. */
  readonly snapshottedTime: number;
}

const MAPPED_BLOCKS = DEVICE_DETAILS.offset('mappedBlocks');
const TRANSACTION_ID = DEVICE_DETAILS.offset('transactionId');
const CREATION_TIME = DEVICE_DETAILS.offset('creationTime');
const SNAPSHOTTED_TIME = DEVICE_DETAILS.offset('snapshottedTime');

/** Details as values of a tree; they refer to nothing. */
export const DEVICE_DETAILS_TYPE: ValueType<DeviceDetails> = {
  name: 'device_details',
  size: DEVICE_DETAILS.size,
  read: (slab, at) => {
    const { words } = slab;
    const mappedBlocks = readU64(slab, at + MAPPED_BLOCKS);
    if (!Number.isSafeInteger(mappedBlocks)) {
      const message = `Cannot read device_details: mappedBlocks is ${mappedBlocks}, less than 2^53 is wanted`;
      throw new CorruptionError(message, { kind: 'device_details', field: 'mappedBlocks', found: mappedBlocks });
    }
    return {
      mappedBlocks,
      transactionId: joinKey(words[(at + TRANSACTION_ID + 4) >>> 2]!, words[(at + TRANSACTION_ID) >>> 2]!),
      creationTime: words[(at + CREATION_TIME) >>> 2]!,
      snapshottedTime: words[(at + SNAPSHOTTED_TIME) >>> 2]!,
    };
  },
  write: (slab, at, value) => {
    const { words } = slab;
    writeU64(slab, at + MAPPED_BLOCKS, value.mappedBlocks);
    words[(at + TRANSACTION_ID) >>> 2] = lowHalf(value.transactionId);
    words[(at + TRANSACTION_ID + 4) >>> 2] = highHalf(value.transactionId);
    words[(at + CREATION_TIME) >>> 2] = value.creationTime;
    words[(at + SNAPSHOTTED_TIME) >>> 2] = value.snapshottedTime;
  },
};
