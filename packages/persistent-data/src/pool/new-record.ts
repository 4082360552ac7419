import { NoSpaceError, unixMs } from '../base/index.ts';
import { MAX_DEVICE_ID } from '../thin/index.ts';
import type { VolumeRecord } from './volume-record.ts';

/** A row for a volume that is made now, with a uuid of its own. @throws {RangeError} when a volume can't have this size. */
export function newRecord(
  id: number,
  name: string,
  options: {
    readonly sizeBytes: number;
    readonly readOnly: boolean;
    readonly origin?: number | undefined;
    readonly temporary?: boolean;
  },
): VolumeRecord {
  const { sizeBytes, readOnly, origin, temporary = false } = options;
  checkVolumeSize(sizeBytes);
  const uuid = globalThis.crypto.randomUUID();
  const created = new Date(unixMs());
  return { id, name, sizeBytes, readOnly, origin, created, uuid, receivedUuid: '', receivedTo: undefined, temporary };
}

/** @throws {RangeError} when a volume can't have this size. */
export function checkVolumeSize(sizeBytes: number): void {
  if (Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 && sizeBytes % 512 === 0) return;
  throw new RangeError(`Cannot use ${sizeBytes} as the size of a volume: bytes, a multiple of 512, are wanted`);
}

/** An id above all others while there are any; then the lowest that is free. */
export function freeDeviceId(rows: readonly { readonly id: number }[]): number {
  const last = rows.at(-1)?.id ?? -1;
  if (last < MAX_DEVICE_ID) return last + 1;
  const taken = new Set(rows.map(({ id }) => id));
  for (let id = 0; id <= MAX_DEVICE_ID; id++) if (!taken.has(id)) return id;
  throw new NoSpaceError(`Cannot make a volume: the pool has ${rows.length}, more are not possible`, 'metadata');
}
