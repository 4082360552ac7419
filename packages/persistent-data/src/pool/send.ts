import { StateError } from '../base/index.ts';
import type { ByteRange } from '../thin-pool/index.ts';
import type { Pool } from './pool.ts';
import type { PoolVolume } from './pool-volume.ts';
import { PAYLOAD_BYTES, RecordWriter, type StreamHead } from './stream-record.ts';

/** Extents that are looked up at once. */
const EXTENTS = 4096;

export interface SendOptions {
  /** Name of a snapshot that the receiver has, too: only what differs from it is sent. Default: everything that is not zeros. */
  readonly base?: string;
  /** Goes on after an interruption: everything below this byte is at the receiver. Default: 0. */
  readonly from?: number;
}

/**
 * The content of a snapshot, or its difference to another one, as a stream for `receiveVolume`: see `stream-record.ts`. What two snapshots share is not
 * even looked at. Nothing can change what is read-only meanwhile; neither snapshot can be deleted before the generator has ended.
 *
 * @throws {StateError} when one of them is not there, or is writable.
 */
export async function* sendVolume(
  pool: Pool,
  name: string,
  options: SendOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { base, from = 0 } = options;
  for (const each of base === undefined ? [name] : [name, base]) {
    if (pool.record(each).readOnly) continue;
    throw new StateError(`Cannot send volume "${each}": it is writable, make a snapshot of it and send that`);
  }
  const volume = pool.volume(name);
  const other = base === undefined ? undefined : pool.volume(base);
  try {
    const writer = new RecordWriter();
    yield writer.begin(headOf(volume, other, from));
    const size = volume.sizeBytes;
    for (const { offset, length, isHole } of rangesOf(volume, other)) {
      const begin = Math.max(offset, from);
      const end = Math.min(offset + length, size);
      if (end <= begin) continue;
      if (isHole) {
        yield writer.hole(begin, end - begin);
        continue;
      }
      for (let at = begin; at < end; at += PAYLOAD_BYTES) {
        const bytes = new Uint8Array(Math.min(PAYLOAD_BYTES, end - at));
        await volume.read(at, bytes);
        yield writer.data(at, bytes);
      }
    }
    yield writer.end(size);
  } finally {
    other?.close();
    volume.close();
  }
}

function headOf(volume: PoolVolume, base: PoolVolume | undefined, from: number): StreamHead {
  const { name, uuid, receivedUuid } = volume.record;
  const head = {
    version: 1,
    name,
    uuid: receivedUuid || uuid,
    sizeBytes: volume.sizeBytes,
    from,
    resumable: true,
  } as const;
  if (base === undefined) return head;
  return { ...head, base: { name: base.name, uuid: base.record.receivedUuid || base.record.uuid } };
}

function* rangesOf(
  volume: PoolVolume,
  base: PoolVolume | undefined,
): Generator<ByteRange & { readonly isHole: boolean }> {
  if (base !== undefined) {
    for (const { offset, length, kind } of volume.difference(base))
      yield { offset, length, isHole: kind === 'removed' };
    return;
  }
  const size = volume.sizeBytes;
  for (let at = 0; at < size; ) {
    const extents = volume.extents(at, size - at, { limit: EXTENTS });
    for (const { offset, length, kind } of extents) if (kind !== 'unmapped') yield { offset, length, isHole: false };
    const last = extents.at(-1);
    if (last === undefined) return;
    at = last.offset + last.length;
  }
}
