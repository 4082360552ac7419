import { createConnection, type Socket } from 'node:net';
import { DeviceError, PersistentDataError, ProtocolError, UnsupportedError } from '../base/index.ts';
import { CONTROL_VERSION, type ControlAnswer, type Greeting } from './control-protocol.ts';
import { ControlWire } from './control-wire.ts';
import type { MethodParams } from './pool-methods.ts';

/** What the server answered to a request that failed; `code` is that of the error there. */
export class RemoteError extends PersistentDataError {
  override readonly name = 'RemoteError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A client of a pool's control socket. One request at a time. */
export class ControlClient {
  readonly greeting: Greeting;
  readonly #wire: ControlWire;
  #nextId = 1;

  private constructor(wire: ControlWire, greeting: Greeting) {
    this.#wire = wire;
    this.greeting = greeting;
  }

  /**
   * Connects. Answers `undefined` when nobody listens there.
   * @throws {UnsupportedError} when the server speaks another version.
   */
  static async connect(path: string): Promise<ControlClient | undefined> {
    const socket = await connect(path);
    if (socket === undefined) return undefined;
    const wire = new ControlWire(socket);
    const greeting = (await wire.readLine()) as unknown as Greeting | undefined;
    if (greeting?.pdata !== 'pool control') {
      wire.destroy();
      throw new ProtocolError(`Cannot talk to the server at ${path}: it is none of a pool, or it is busy`);
    }
    if (greeting.version !== CONTROL_VERSION) {
      wire.destroy();
      throw new UnsupportedError(
        `Cannot talk to the server at ${path}: it speaks version ${greeting.version}, ${CONTROL_VERSION} is known`,
      );
    }
    return new ControlClient(wire, greeting);
  }

  /** Has a method done. @throws {RemoteError} when it failed there. @throws {DeviceError} when the connection is lost. */
  async call(method: string, params: MethodParams = {}): Promise<unknown> {
    await this.#ask(method, params);
    return resultOf(await this.#answer());
  }

  /** The stream of a volume. The client is used up with it. */
  async *send(params: MethodParams): AsyncGenerator<Uint8Array, void, undefined> {
    await this.#ask('send', params);
    resultOf(await this.#answer());
    yield* this.#wire.frames();
    resultOf(await this.#answer());
  }

  /** Has a stream received. The client is used up with it. @param onBytes - Called with the bytes that have been handed over. */
  async receive(
    params: MethodParams,
    source: AsyncIterable<Uint8Array>,
    onBytes?: (bytes: number) => void,
  ): Promise<unknown> {
    await this.#ask('receive', params);
    resultOf(await this.#answer());
    let isAnswered = false;
    // The server may say early that it won't.
    const answer = this.#answer().finally(() => {
      isAnswered = true;
    });
    answer.catch(() => undefined);
    let sent = 0;
    try {
      for await (const bytes of source) {
        if (isAnswered) break;
        await this.#wire.writeFrame(bytes);
        sent += bytes.length;
        onBytes?.(sent);
      }
      if (!isAnswered) await this.#wire.writeFrame(new Uint8Array(0));
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      // The connection is closed: the answer says why, if there is one.
    }
    return resultOf(await answer);
  }

  /** Idempotent. */
  close(): void {
    this.#wire.destroy();
  }

  async #ask(method: string, params: MethodParams): Promise<void> {
    await this.#wire.writeLine({ id: this.#nextId++, method, params });
  }

  async #answer(): Promise<ControlAnswer> {
    const line = await this.#wire.readLine();
    if (line !== undefined) return line as unknown as ControlAnswer;
    throw new DeviceError("Cannot reach the pool's server: it has gone");
  }
}

function resultOf(answer: ControlAnswer): unknown {
  if (answer.error === undefined) return answer.result;
  throw new RemoteError(answer.error.code, answer.error.message);
}

function connect(path: string): Promise<Socket | undefined> {
  return new Promise((done, fail) => {
    const socket = createConnection(path, () => {
      socket.off('error', failed);
      done(socket);
    });
    const failed = (cause: NodeJS.ErrnoException): void => {
      if (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED') done(undefined);
      else fail(new DeviceError(`Cannot connect to ${path}: ${cause.message}`, { cause }));
    };
    socket.once('error', failed);
  });
}
