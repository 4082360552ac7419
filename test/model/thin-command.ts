/** What the model test of thin pools does, as plain data. */

/** A command is a kind and three numbers, which are taken modulo whatever there is. */
export interface Command {
  readonly kind: CommandKind;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export type CommandKind = AsyncKind | DeviceKind | PoolKind;

/** Commands that end a transaction, or commit on their way. */
type AsyncKind = 'commit' | 'commitAsync' | 'finish' | 'rollback' | 'reopen' | 'crash' | 'reserve' | 'release';

/** Commands on one device. */
export type DeviceKind =
  | 'create'
  | 'createTaken'
  | 'snapshot'
  | 'delete'
  | 'deleteOpen'
  | 'unknown'
  | 'open'
  | 'close'
  | 'insert'
  | 'insertMany'
  | 'insertShared'
  | 'remove'
  | 'removeAll';

/** Commands on the pool: data blocks that the test owns, sizes, settings, views. */
export type PoolKind =
  | 'allocate'
  | 'incData'
  | 'decData'
  | 'growData'
  | 'shrinkData'
  | 'growMetadata'
  | 'shrinkMetadata'
  | 'transactionId'
  | 'needsCheck'
  | 'view'
  | 'closeView';

/** Sizes, and how the pool begins. */
export interface Profile {
  readonly nrMetadataBlocks: number;
  readonly nrDataBlocks: number;
  readonly cacheBlocks: number;
  /** Ids are taken below this. */
  readonly nrIds: number;
  /** Virtual blocks are taken below this. */
  readonly nrVirtualBlocks: number;
  /** Devices made, and mappings put into the first one, before the first command. */
  readonly devices?: number;
  readonly mappings?: number;
}
