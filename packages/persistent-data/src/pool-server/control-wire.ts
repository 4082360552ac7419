import type { Socket } from 'node:net';
import { DeviceError, ProtocolError } from '../base/index.ts';

const MAX_LINE_BYTES = 16 * 2 ** 20;
const MAX_FRAME_BYTES = 4 * 2 ** 20;
const NEWLINE = 0x0a;

/** Lines and frames over a socket, with what both ends of it need: one reader at a time, and writes that wait for a slow peer. */
export class ControlWire {
  readonly #socket: Socket;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    // The reader is told; without a listener the process would end.
    socket.on('error', () => undefined);
  }

  /** The next line as an object; `undefined` at the end. @throws {ProtocolError} for anything else. */
  async readLine(): Promise<Readonly<Record<string, unknown>> | undefined> {
    let searched = 0;
    for (;;) {
      const end = this.#rest.indexOf(NEWLINE, searched);
      if (end >= 0) {
        const text = this.#rest.toString('utf8', 0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return parseObject(text);
      }
      searched = this.#rest.length;
      if (searched > MAX_LINE_BYTES) throw new ProtocolError('Cannot read from the control socket: a line without end');
      if (!(await this.#more())) return undefined;
    }
  }

  /** The bytes of frames, up to the one that ends them. @throws {ProtocolError} when the peer goes before that. */
  async *frames(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      await this.#need(4);
      const length = this.#rest.readUInt32BE(0);
      if (length > MAX_FRAME_BYTES)
        throw new ProtocolError(`Cannot read from the control socket: a frame of ${length} bytes`);
      await this.#need(4 + length);
      const bytes = this.#rest.subarray(4, 4 + length);
      this.#rest = this.#rest.subarray(4 + length);
      if (length === 0) return;
      yield bytes;
    }
  }

  writeLine(value: unknown): Promise<void> {
    return this.#write(Buffer.from(`${JSON.stringify(value)}\n`));
  }

  /** One frame; of no bytes: the end. */
  async writeFrame(bytes: Uint8Array): Promise<void> {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(bytes.length, 0);
    await this.#write(head);
    if (bytes.length > 0) await this.#write(bytes);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #need(length: number): Promise<void> {
    while (this.#rest.length < length) {
      if (!(await this.#more())) throw new ProtocolError('Cannot read from the control socket: the stream broke off');
    }
  }

  /** More bytes at the end of those that are here. False when there are none. */
  async #more(): Promise<boolean> {
    let next: IteratorResult<Buffer>;
    try {
      next = await this.#chunks.next();
    } catch (cause) {
      throw new DeviceError(`Cannot read from the control socket: ${(cause as Error).message}`, { cause });
    }
    if (next.done === true) return false;
    this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value]);
    return true;
  }

  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((done, fail) => {
      this.#socket.write(bytes, (cause) => {
        if (cause) fail(new DeviceError(`Cannot write to the control socket: ${cause.message}`, { cause }));
        else done();
      });
    });
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new ProtocolError('Cannot read from the control socket: a line is no JSON object');
}
