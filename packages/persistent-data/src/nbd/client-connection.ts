import { createConnection, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { DeviceError, monotonicMs, PersistentDataError, ProtocolError } from '../base/index.ts';
import { type ClientAgreement, requestTls } from './client-negotiation.ts';
import { ClientOptions } from './client-options.ts';
import { ClientTransmission } from './client-transmission.ts';
import { DEFAULT_PORT } from './protocol.ts';
import { clientTlsOptions } from './tls-files.ts';
import type { ClientTlsFiles } from './tls-settings.ts';
import type { NbdAddress } from './uri.ts';

export interface ClientTimeouts {
  /** For connecting and the whole negotiation. Default: 10 s. */
  readonly handshakeTimeoutMs?: number;
  /** A server that says nothing for so long, while requests wait, is dead. Default: 60 s. */
  readonly replyTimeoutMs?: number;
}

/** How long a server may take to close after a goodbye. */
const FAREWELL_MS = 2000;

/** A client's socket, and who speaks through it: the negotiation first, then the transmission. */
export class ClientConnection {
  readonly #replyTimeoutMs: number;
  #socket: Socket;
  #parser: ClientOptions | ClientTransmission;
  /** What of a piece was left when the negotiation ended. */
  #rest: Uint8Array = new Uint8Array(0);
  #parts: Uint8Array[] = [];
  #failure: Error | undefined;
  #lastMs = monotonicMs();
  #watch: NodeJS.Timeout | undefined;
  readonly #onData = (piece: Uint8Array) => this.#receive(piece);
  readonly #onError = (cause: Error) =>
    this.#lose(new DeviceError(`The NBD connection failed: ${cause.message}`, { cause }));
  readonly #onClose = () => this.#lose(new DeviceError('The NBD connection was closed by the server'));

  private constructor(socket: Socket, replyTimeoutMs: number) {
    this.#replyTimeoutMs = replyTimeoutMs;
    this.#socket = socket;
    this.#parser = new ClientOptions((bytes) => this.#send(bytes));
    this.#attach(socket);
  }

  /**
   * Connects, upgrades to TLS when the address says so, and negotiates.
   *
   * @throws {DeviceError} when there is no connection, or it takes too long; and whatever the negotiation throws. Then it is closed.
   */
  static async open<Result>(
    address: NbdAddress,
    timeouts: ClientTimeouts,
    talk: (options: ClientOptions) => Promise<Result>,
  ): Promise<{ connection: ClientConnection; result: Result }> {
    const { host = 'localhost', port = DEFAULT_PORT, socket: path } = address;
    const socket = path === undefined ? createConnection({ host, port, noDelay: true }) : createConnection({ path });
    const connection = new ClientConnection(socket, timeouts.replyTimeoutMs ?? 60_000);
    const limitMs = timeouts.handshakeTimeoutMs ?? 10_000;
    const timer = setTimeout(() => {
      connection.#lose(new DeviceError(`Cannot connect to the NBD server: it took more than ${limitMs} ms`));
    }, limitMs);
    try {
      const options = connection.#parser as ClientOptions;
      await options.greet();
      if (address.tls !== undefined)
        await connection.#upgrade(options, address.tls, path === undefined ? host : undefined);
      return { connection, result: await talk(options) };
    } catch (error) {
      connection.#lose(error as Error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The negotiation is over: requests follow. */
  beginTransmission(agreement: ClientAgreement): ClientTransmission {
    const transmission = new ClientTransmission(
      agreement,
      (bytes) => this.#send(bytes),
      (error) => this.#lose(error),
    );
    this.#parser = transmission;
    if (this.#failure !== undefined) transmission.fail(this.#failure);
    this.#feed(this.#rest);
    this.#watch = setInterval(() => this.#checkAlive(), Math.min(1000, this.#replyTimeoutMs / 2));
    this.#watch.unref();
    return transmission;
  }

  /** A request begins: the time without an answer counts from the first that waits. */
  noteRequest(): void {
    if ((this.#parser as ClientTransmission).nrPending === 0) this.#lastMs = monotonicMs();
  }

  /** Closes without a word, after a negotiation that was only for information. */
  abort(): void {
    this.#lose(new DeviceError('The NBD connection was closed'));
  }

  /** Waits until what was sent has left and the server has closed, for a while. */
  end(): Promise<void> {
    const socket = this.#socket;
    this.#flush();
    return new Promise((done) => {
      const timer = setTimeout(() => socket.destroy(), FAREWELL_MS);
      const finish = () => {
        clearTimeout(timer);
        this.abort();
        done();
      };
      if (socket.destroyed) finish();
      else {
        socket.once('close', finish);
        socket.end();
      }
    });
  }

  #attach(socket: Socket): void {
    socket.on('data', this.#onData);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  async #upgrade(options: ClientOptions, tls: ClientTlsFiles, host: string | undefined): Promise<void> {
    const tlsOptions = clientTlsOptions(tls, host);
    await requestTls(options);
    const raw = this.#socket;
    raw.off('data', this.#onData);
    // Words that came before the handshake were said by anybody: not to be listened to.
    if (this.#rest.byteLength > 0)
      throw new ProtocolError('Cannot use TLS: the server sent something in the clear after agreeing to it');
    await new Promise<void>((done, fail) => {
      const secure = connectTls({ ...tlsOptions, socket: raw });
      this.#socket = secure;
      this.#attach(secure);
      secure.once('secureConnect', done);
      secure.once('close', () =>
        fail(this.#failure ?? new DeviceError('Cannot use TLS: the server closed the connection')),
      );
      secure.once('error', (cause) => fail(new DeviceError(`Cannot use TLS: ${cause.message}`, { cause })));
    });
    options.resume();
  }

  /** What is said in one turn leaves together. */
  #send(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    if (this.#parts.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const parts = this.#parts;
    this.#parts = [];
    if (parts.length === 0 || this.#socket.destroyed || this.#socket.writableEnded) return;
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  #receive(piece: Uint8Array): void {
    this.#lastMs = monotonicMs();
    this.#feed(this.#rest.byteLength === 0 ? piece : Buffer.concat([this.#rest, piece]));
  }

  #feed(piece: Uint8Array): void {
    const used = this.#parser.feed(piece);
    this.#rest = piece.subarray(used);
  }

  #checkAlive(): void {
    const isWaiting = (this.#parser as ClientTransmission).nrPending > 0;
    if (isWaiting && monotonicMs() - this.#lastMs > this.#replyTimeoutMs) {
      this.#lose(new DeviceError(`The NBD server has not answered for ${this.#replyTimeoutMs} ms`));
    }
  }

  /** The connection is of no use any more. */
  #lose(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error instanceof PersistentDataError ? error : new DeviceError(error.message, { cause: error });
    clearInterval(this.#watch);
    this.#parser.fail(this.#failure);
    this.#socket.destroy();
  }
}
