import { createServer, type Server, type Socket } from 'node:net';
import { ProtocolError } from '../base/index.ts';
import { listenUnix } from '../nbd/index.ts';
import { CONTROL_VERSION, type ControlAnswer } from './control-protocol.ts';
import { ControlWire } from './control-wire.ts';
import type { MethodParams, PoolMethods } from './pool-methods.ts';

const MAX_CONNECTIONS = 32;

/** Serves the methods of a pool on a unix socket: see `control-protocol.ts`. */
export class ControlServer {
  readonly #methods: PoolMethods;
  readonly #poolUuid: string;
  readonly #server: Server;
  readonly #connections = new Map<Socket, Promise<void>>();
  #isClosing = false;

  constructor(methods: PoolMethods, poolUuid: string) {
    this.#methods = methods;
    this.#poolUuid = poolUuid;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** @throws as `NbdServer.listenUnix`. */
  listen(path: string): Promise<void> {
    return listenUnix(this.#server, path);
  }

  /**
   * Ends all connections; what they had begun is finished, or breaks off where it is a stream.
   * @param options.drainMs - What has not ended then, such as a stream that waits for data space, is not waited for. Default: 30 s.
   */
  async close({ drainMs = 30_000 }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise((done) => this.#server.close(done));
    for (const socket of this.#connections.keys()) socket.destroy();
    let timer: NodeJS.Timeout | undefined;
    const isLate = new Promise<void>((done) => {
      timer = setTimeout(done, drainMs);
    });
    await Promise.race([Promise.all(this.#connections.values()), isLate]);
    clearTimeout(timer);
    await closed;
  }

  #accept(socket: Socket): void {
    if (this.#isClosing || this.#connections.size >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    const talk = this.#talk(new ControlWire(socket))
      .catch(() => undefined)
      .finally(() => {
        socket.destroy();
        this.#connections.delete(socket);
      });
    this.#connections.set(socket, talk);
  }

  async #talk(wire: ControlWire): Promise<void> {
    await wire.writeLine({ pdata: 'pool control', version: CONTROL_VERSION, pid: process.pid, pool: this.#poolUuid });
    for (;;) {
      const line = await wire.readLine();
      if (line === undefined) return;
      const { id, method, params = {} } = line;
      if (typeof id !== 'number' || typeof method !== 'string' || typeof params !== 'object' || params === null) {
        throw new ProtocolError('Cannot answer on the control socket: this is no request');
      }
      if (method === 'send') return await this.#send(wire, id, params as MethodParams);
      if (method === 'receive') return await this.#receive(wire, id, params as MethodParams);
      await wire.writeLine(await answerOf(id, () => this.#methods.call(method, params as MethodParams)));
    }
  }

  async #send(wire: ControlWire, id: number, params: MethodParams): Promise<void> {
    await wire.writeLine({ id, stream: true });
    const answer = await answerOf(id, async () => {
      for await (const record of this.#methods.send(params)) {
        await wire.writeFrame(record);
        // Others are served meanwhile.
        await new Promise(setImmediate);
      }
      return null;
    });
    await wire.writeFrame(new Uint8Array(0));
    await wire.writeLine(answer);
    wire.end();
  }

  async #receive(wire: ControlWire, id: number, params: MethodParams): Promise<void> {
    await wire.writeLine({ id, stream: true });
    const answer = await answerOf(id, () => this.#methods.receive(params, wire.frames()));
    await wire.writeLine(answer);
    wire.end();
  }
}

async function answerOf(id: number, work: () => Promise<unknown>): Promise<ControlAnswer> {
  try {
    return { id, result: await work() };
  } catch (error) {
    const { code = 'PDATA_BUG', message } = error as { code?: string; message: string };
    return {
      id,
      error: { code: error instanceof RangeError || error instanceof TypeError ? 'PDATA_WRONG' : code, message },
    };
  }
}
