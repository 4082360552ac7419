import { CorruptionError, StateError } from '../base/index.ts';
import type { Pool } from './pool.ts';
import type { PoolVolume } from './pool-volume.ts';
import { parseHead, RECORD, RecordReader, type StreamHead, type StreamRecord } from './stream-record.ts';
import type { VolumeRecord } from './volume-record.ts';

/** What has come is made durable, and noted, in steps of this many bytes of the stream. */
const STEP_BYTES = 64 * 2 ** 20;

export interface ReceiveOptions {
  /** The volume can be written afterwards. Default: false, it is a snapshot like the one that was sent. */
  readonly writable?: boolean;
  /** Called now and then with the bytes of the volume that are done, of all. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ReceiveOutcome {
  readonly name: string;
  /** Bytes of data that were written now. */
  readonly dataBytes: number;
  readonly sizeBytes: number;
  /** Where it went on; 0 when it began. */
  readonly resumedAt: number;
}

/**
 * Makes a volume out of a stream of `sendVolume`. A stream of differences wants its base here, recognised by its content, not by its name: where it is
 * missing or another one, nothing is done.
 *
 * When the stream ends early, what has come stays under the name, unusable; the same stream sent again, or from there on (`receivedTo` in
 * the list of volumes), completes it.
 *
 * @throws {StateError} when the name is taken, the base is missing, or the stream ended early or begins too late.
 * @throws {CorruptionError} when the stream is damaged; what came before is kept.
 */
export async function receiveVolume(
  pool: Pool,
  name: string,
  source: AsyncIterable<Uint8Array>,
  options: ReceiveOptions = {},
): Promise<ReceiveOutcome> {
  const reader = new RecordReader();
  let reception: Reception | undefined;
  try {
    for await (const piece of source) {
      for (const record of reader.take(piece)) {
        if (reception === undefined) reception = await Reception.begin(pool, name, parseHead(record), options);
        else if (record.type === RECORD.end) return await reception.finish(record);
        else await reception.take(record);
      }
    }
    throw new StateError(
      reception === undefined
        ? 'Cannot receive: the stream is empty'
        : `Cannot receive volume "${name}": the stream ended at byte ${reception.at}; send it again to go on`,
    );
  } catch (error) {
    await reception?.breakOff();
    throw error;
  }
}

class Reception {
  /** Everything below is written. */
  at: number;
  readonly #pool: Pool;
  readonly #name: string;
  readonly #head: StreamHead;
  readonly #options: ReceiveOptions;
  readonly #volume: PoolVolume;
  readonly #resumedAt: number;
  #dataBytes = 0;
  #sinceStep = 0;
  #isOver = false;

  private constructor(pool: Pool, name: string, head: StreamHead, options: ReceiveOptions) {
    this.#pool = pool;
    this.#name = name;
    this.#head = head;
    this.#options = options;
    this.#volume = pool.receiving.open(name);
    this.#resumedAt = pool.record(name).receivedTo ?? 0;
    this.at = this.#resumedAt;
  }

  static async begin(pool: Pool, name: string, head: StreamHead, options: ReceiveOptions): Promise<Reception> {
    // The name may be that of one which an earlier process has left.
    await pool.tidied;
    const base = baseOf(pool, head);
    if (pool.has(name)) refuseOther(pool.record(name), head, base);
    else if (head.from > 0) throw new StateError(`Cannot receive volume "${name}": its beginning is not here`);
    else await pool.receiving.begin(name, { ...head, base, temporary: !head.resumable });
    return new Reception(pool, name, head, options);
  }

  async take({ type, offset, length, payload }: StreamRecord): Promise<void> {
    const end = offset + length;
    const isRight = type === RECORD.hole || (type === RECORD.data && length === payload.length);
    if (!isRight || end > this.#head.sizeBytes)
      throw new CorruptionError('Cannot read stream: a record is out of place');
    // It was here already when the stream broke off.
    if (end <= this.#resumedAt) return;
    if (offset < this.at && offset >= this.#resumedAt) {
      throw new CorruptionError('Cannot read stream: its offsets do not rise');
    }
    if (type === RECORD.data) await this.#volume.write(offset, payload);
    else await this.#volume.writeZeroes(offset, length);
    this.at = end;
    this.#dataBytes += payload.length;
    this.#sinceStep += payload.length;
    if (this.#sinceStep >= STEP_BYTES) await this.#step();
    this.#options.onProgress?.(end, this.#head.sizeBytes);
  }

  async finish({ offset }: StreamRecord): Promise<ReceiveOutcome> {
    const { sizeBytes } = this.#head;
    if (offset !== sizeBytes) throw new CorruptionError('Cannot read stream: its end is not the end of the volume');
    await this.#volume.flush();
    this.#isOver = true;
    this.#volume.close();
    await this.#pool.receiving.end(this.#name, { sizeBytes, writable: this.#options.writable ?? false });
    this.#options.onProgress?.(sizeBytes, sizeBytes);
    return { name: this.#name, dataBytes: this.#dataBytes, sizeBytes, resumedAt: this.#resumedAt };
  }

  /** Keeps what has come, or gives it up where the same stream can't be had again. */
  async breakOff(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      if (this.#head.resumable) await this.#step();
    } finally {
      this.#volume.close();
    }
    if (!this.#head.resumable) await this.#pool.deleteVolume(this.#name);
  }

  async #step(): Promise<void> {
    this.#sinceStep = 0;
    await this.#volume.flush();
    await this.#pool.receiving.note(this.#name, this.at);
  }
}

function baseOf(pool: Pool, { base }: StreamHead): VolumeRecord | undefined {
  if (base === undefined) return undefined;
  const found = pool.findContent(base.uuid);
  if (found !== undefined) return found;
  throw new StateError(
    `Cannot receive: the stream has differences to "${base.name}" (${base.uuid}), which this pool has not, or not unchanged`,
  );
}

/** @throws {StateError} unless the volume is what an earlier try at the same stream has left. */
function refuseOther(record: VolumeRecord, head: StreamHead, base: VolumeRecord | undefined): void {
  const { name, receivedTo } = record;
  if (receivedTo === undefined) throw new StateError(`Cannot receive volume "${name}": the name is taken`);
  if (record.receivedUuid !== head.uuid || record.origin !== base?.id) {
    throw new StateError(
      `Cannot receive volume "${name}": another stream to this name was broken off; delete it first`,
    );
  }
  if (head.from > receivedTo) {
    throw new StateError(
      `Cannot receive volume "${name}": the stream goes on at byte ${head.from}, at most ${receivedTo} is wanted`,
    );
  }
}
