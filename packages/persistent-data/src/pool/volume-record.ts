import { date, type SpecValue, str, u8, u32, u64 } from '../store/index.ts';
import { MAX_NAME_BYTES } from './volume-name.ts';

/** What the registry knows of a volume, beside what the pool's metadata does. */
export interface VolumeRecord {
  /** The pool's device id. */
  readonly id: number;
  readonly name: string;
  readonly sizeBytes: number;
  /** Nothing can be written until that is changed: so it is for snapshots. */
  readonly readOnly: boolean;
  /** Id of the volume that it was made from, which may be gone. */
  readonly origin: number | undefined;
  readonly created: Date;
  /** Stands for the content of what is read-only: when it becomes writable a new one is given. */
  readonly uuid: string;
  /** The sender's uuid of what was received; empty when it was made here. */
  readonly receivedUuid: string;
  /** While it is being received: all bytes below are there, durably. `undefined`: it is whole. */
  readonly receivedTo: number | undefined;
  /** It is somebody's for a while: who opens the pool the next time removes it. */
  readonly temporary: boolean;
}

/** A record as the `Store` keeps it. */
export const RECORD_FIELDS = {
  name: str(MAX_NAME_BYTES + 1),
  uuid: str(36),
  receivedUuid: str(36),
  sizeBytes: u64,
  receivedTo: u64,
  created: date,
  origin: u32,
  flags: u8,
};

type StoredRecord = SpecValue<typeof RECORD_FIELDS>;

/** Stands for "no volume" where a device id is kept; real ones are below 2^24. */
const NO_DEVICE = 0xffff_ffff;
const READ_ONLY = 1;
const RECEIVING = 2;
const TEMPORARY = 4;

export function toStored(record: VolumeRecord): StoredRecord {
  const { name, uuid, receivedUuid, sizeBytes, receivedTo, created, origin, readOnly, temporary } = record;
  const flags = (readOnly ? READ_ONLY : 0) | (receivedTo === undefined ? 0 : RECEIVING) | (temporary ? TEMPORARY : 0);
  return {
    name,
    uuid,
    receivedUuid,
    sizeBytes,
    receivedTo: receivedTo ?? 0,
    created,
    origin: origin ?? NO_DEVICE,
    flags,
  };
}

export function fromStored(id: number, stored: StoredRecord): VolumeRecord {
  const { name, uuid, receivedUuid, created, origin, flags } = stored;
  return {
    id,
    name,
    sizeBytes: Number(stored.sizeBytes),
    readOnly: (flags & READ_ONLY) !== 0,
    origin: origin === NO_DEVICE ? undefined : origin,
    created,
    uuid,
    receivedUuid,
    receivedTo: (flags & RECEIVING) === 0 ? undefined : Number(stored.receivedTo),
    temporary: (flags & TEMPORARY) !== 0,
  };
}
