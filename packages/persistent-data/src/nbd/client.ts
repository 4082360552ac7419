import { ReadOnlyError, StateError, UnsupportedError } from '../base/index.ts';
import { ClientConnection, type ClientTimeouts } from './client-connection.ts';
import { type ClientAgreement, type ListedExport, listExports, negotiate } from './client-negotiation.ts';
import type { ClientRequest, ClientTransmission, Extent } from './client-transmission.ts';
import { DEFAULT_BLOCK_SIZE, type NbdBlockSize, type WriteZeroesOptions } from './export.ts';
import { BOUNDS, COMMAND_FLAGS, COMMANDS, CONTEXTS, TRANSMISSION_FLAGS } from './protocol.ts';
import { RequestLimit } from './request-limit.ts';
import { type NbdAddress, parseUri } from './uri.ts';

export interface NbdClientOptions extends ClientTimeouts {
  /** Metadata contexts to select; those that the server lacks are left out. Default: `base:allocation`. */
  readonly contexts?: readonly string[];
  /** Requests under way at once. Default: 64. */
  readonly maxInFlight?: number;
  /** Payload bytes under way at once; one longer request goes alone. Default: 32 MiB. */
  readonly maxInFlightBytes?: number;
  /** Whether to ask for structured replies. Default: true. */
  readonly structured?: boolean;
  /** Whether to ask for extended headers. Default: true. */
  readonly extended?: boolean;
}

/** Whether a change is durable when it is answered. */
export interface FuaOption {
  readonly fua?: boolean;
}

/** Lengths that fit every server: below 2^32, and a multiple of any block size. */
const MAX_RANGE_BYTES = 2 ** 31;

/**
 * A client of one NBD export. Asynchronous; requests overlap, up to bounds. Everything that goes wrong rejects:
 *
 * - an `NbdError` is the server's answer to one request; the connection goes on.
 * - `ProtocolError`: the server broke the protocol; `DeviceError`: the connection is lost, or the server does not answer. Both are
 *   final: all that waits fails, and all later calls.
 * - `RangeError`: a range that is not inside the export. `ReadOnlyError`, `UnsupportedError`: the server does not offer it.
 */
export class NbdClient {
  /** Bytes. */
  readonly size: number;
  readonly readOnly: boolean;
  readonly description: string | undefined;
  readonly blockSize: NbdBlockSize;
  /** Metadata contexts that were selected. */
  readonly contexts: readonly string[];
  readonly #agreement: ClientAgreement;
  readonly #connection: ClientConnection;
  readonly #transmission: ClientTransmission;
  readonly #limit: RequestLimit;
  #isClosed = false;

  private constructor(connection: ClientConnection, agreement: ClientAgreement, options: NbdClientOptions) {
    this.#connection = connection;
    this.#agreement = agreement;
    this.#transmission = connection.beginTransmission(agreement);
    this.#limit = new RequestLimit(options.maxInFlight ?? 64, options.maxInFlightBytes ?? BOUNDS.payloadBytes);
    this.size = agreement.size;
    this.readOnly = this.#has('readOnly');
    this.description = agreement.description;
    this.blockSize = agreement.blockSize ?? DEFAULT_BLOCK_SIZE;
    this.contexts = [...agreement.contexts.values()];
  }

  /**
   * Connects to an export.
   *
   * @param address - An NBD URI, see `parseUri`, or its parts.
   * @throws {DeviceError} when there is no connection, or the server takes too long.
   * @throws {StateError | UnsupportedError | ProtocolError} as the negotiation goes.
   */
  static async connect(address: string | NbdAddress, options: NbdClientOptions = {}): Promise<NbdClient> {
    const where = typeof address === 'string' ? parseUri(address) : address;
    const { contexts = [CONTEXTS.allocation], structured = true, extended = true } = options;
    const wishes = { name: where.name ?? '', contexts, structured, extended };
    const { connection, result } = await ClientConnection.open(where, options, (asker) => negotiate(asker, wishes));
    return new NbdClient(connection, result, options);
  }

  /** The exports that a server shows. @throws as {@link connect}. */
  static async list(address: string | NbdAddress, options: ClientTimeouts = {}): Promise<ListedExport[]> {
    const where = typeof address === 'string' ? parseUri(address) : address;
    const { connection, result } = await ClientConnection.open(where, options, listExports);
    connection.abort();
    return result;
  }

  /** Whether replies are structured; whether headers are extended. */
  get form(): { readonly structured: boolean; readonly extended: boolean } {
    const { structured, extended } = this.#agreement;
    return { structured, extended };
  }

  /** Whether another connection to the same export sees the same, and flushes for this one too. */
  get canMultiConn(): boolean {
    return this.#has('canMultiConn');
  }

  get canTrim(): boolean {
    return this.#has('sendTrim');
  }

  get canWriteZeroes(): boolean {
    return this.#has('sendWriteZeroes');
  }

  get canFlush(): boolean {
    return this.#has('sendFlush');
  }

  /** Reads `length` bytes into new memory. */
  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    this.#checkRange(offset, length);
    const into = new Uint8Array(length);
    await this.readInto(offset, into);
    return into;
  }

  /** Fills `into`, which must not be used until then; what it holds after a failure is anything. */
  async readInto(offset: number, into: Uint8Array): Promise<void> {
    this.#checkRange(offset, into.byteLength);
    await this.#inPieces(offset, into.byteLength, this.#maxPayload, (at, length) => {
      const from = at - offset;
      return this.#do(length, {
        type: COMMANDS.read,
        flags: 0,
        offset: at,
        length,
        into: into.subarray(from, from + length),
      });
    });
  }

  /** Writes `data`, which must not be changed until then. */
  async write(offset: number, data: Uint8Array, options: FuaOption = {}): Promise<void> {
    this.#checkRange(offset, data.byteLength);
    this.#checkChange();
    const flags = this.#fua(options);
    await this.#inPieces(offset, data.byteLength, this.#maxPayload, (at, length) => {
      const piece = data.subarray(at - offset, at - offset + length);
      return this.#do(length, { type: COMMANDS.write, flags, offset: at, length, data: piece });
    });
  }

  /** Makes durable what was answered before. Does nothing where the server says that this is not needed. */
  async flush(): Promise<void> {
    this.#checkOpen();
    if (this.canFlush) await this.#do(0, { type: COMMANDS.flush, flags: 0, offset: 0, length: 0 });
  }

  /** Says that a range is not needed any more; its content is anything afterwards. */
  async trim(offset: number, length: number, options: FuaOption = {}): Promise<void> {
    await this.#change(COMMANDS.trim, 'sendTrim', offset, length, this.#fua(options));
  }

  async writeZeroes(
    offset: number,
    length: number,
    options: FuaOption & Partial<WriteZeroesOptions> = {},
  ): Promise<void> {
    if (options.fast === true) this.#need('sendFastZero', 'write zeroes fast');
    const fast = options.fast === true ? COMMAND_FLAGS.fastZero : 0;
    const noHole = options.noHole === true ? COMMAND_FLAGS.noHole : 0;
    await this.#change(COMMANDS.writeZeroes, 'sendWriteZeroes', offset, length, fast | noHole | this.#fua(options));
  }

  /** Says that a range will be read soon. */
  async cache(offset: number, length: number): Promise<void> {
    this.#checkRange(offset, length);
    this.#need('sendCache', 'prefetch');
    await this.#inPieces(offset, length, MAX_RANGE_BYTES, (at, count) =>
      this.#do(0, { type: COMMANDS.cache, flags: 0, offset: at, length: count }),
    );
  }

  /**
   * What a context says about a range: at least its first extent, perhaps not all of it.
   *
   * @throws {StateError} when the context was not selected.
   */
  async blockStatus(context: string, offset: number, length: number, { one = false } = {}): Promise<readonly Extent[]> {
    this.#checkRange(offset, length);
    const id = [...this.#agreement.contexts].find(([, name]) => name === context)?.[0];
    if (id === undefined)
      throw new StateError(`Cannot ask for the block status: the context ${context} was not selected`);
    const flags = one ? COMMAND_FLAGS.reqOne : 0;
    const asked = this.form.extended ? length : Math.min(length, MAX_RANGE_BYTES);
    const extents = await this.#do(0, { type: COMMANDS.blockStatus, flags, offset, length: asked });
    const found = extents.get(id);
    if (found === undefined)
      throw new UnsupportedError(`Cannot ask for the block status: the server left ${context} out`);
    return found;
  }

  /** Says goodbye and closes. What still waits fails. Does not flush. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#transmission.disconnect();
    await this.#connection.end();
  }

  #has(flag: keyof typeof TRANSMISSION_FLAGS): boolean {
    return (this.#agreement.transmissionFlags & TRANSMISSION_FLAGS[flag]) !== 0;
  }

  #need(flag: keyof typeof TRANSMISSION_FLAGS, action: string): void {
    if (!this.#has(flag)) throw new UnsupportedError(`Cannot ${action}: the server does not offer it`);
  }

  #fua({ fua = false }: FuaOption): number {
    if (fua) this.#need('sendFua', 'make one write durable');
    return fua ? COMMAND_FLAGS.fua : 0;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new StateError('Cannot use the NBD client: it is closed');
  }

  #checkRange(offset: number, length: number): void {
    this.#checkOpen();
    const isFine = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
    if (!isFine || offset > this.size || length > this.size - offset) {
      throw new RangeError(`Cannot use ${length} bytes at ${offset}: the export has ${this.size} bytes`);
    }
  }

  #checkChange(): void {
    if (this.readOnly) throw new ReadOnlyError('Cannot write: the export is read-only');
  }

  get #maxPayload(): number {
    const { max, min } = this.blockSize;
    const bound = Math.min(max, BOUNDS.payloadBytes);
    return bound - (bound % min);
  }

  async #change(
    type: number,
    offer: keyof typeof TRANSMISSION_FLAGS,
    offset: number,
    length: number,
    flags: number,
  ): Promise<void> {
    this.#checkRange(offset, length);
    this.#checkChange();
    this.#need(offer, type === COMMANDS.trim ? 'trim' : 'write zeroes');
    await this.#inPieces(offset, length, MAX_RANGE_BYTES, (at, count) =>
      this.#do(0, { type, flags, offset: at, length: count }),
    );
  }

  /** Cuts a range at `maxBytes`; waits for all pieces, and throws the first error. */
  async #inPieces(
    offset: number,
    length: number,
    maxBytes: number,
    one: (at: number, length: number) => Promise<unknown>,
  ): Promise<void> {
    if (length === 0) return;
    if (length <= maxBytes) {
      await one(offset, length);
      return;
    }
    const all: Promise<unknown>[] = [];
    for (let at = offset; at < offset + length; at += maxBytes)
      all.push(one(at, Math.min(maxBytes, offset + length - at)));
    const failed = (await Promise.allSettled(all)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #do(payloadBytes: number, request: ClientRequest): Promise<ReadonlyMap<number, readonly Extent[]>> {
    await this.#limit.enter(payloadBytes);
    try {
      this.#connection.noteRequest();
      return await this.#transmission.request(request);
    } finally {
      this.#limit.leave(payloadBytes);
    }
  }
}
