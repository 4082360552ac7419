import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { DeviceError, LockedError, monotonicMs, StateError, UnsupportedError } from '../base/index.ts';
import { BufferPool } from './buffer-pool.ts';
import type { NbdExport } from './export.ts';
import { type ExportOptions, ExportTable } from './export-table.ts';
import { Lookout } from './lookout.ts';
import { MemoryBudget } from './memory-budget.ts';
import { type NbdLogEvent, type NbdMetrics, newMetrics } from './metrics.ts';
import { DEFAULT_PORT } from './protocol.ts';
import { ServerConnection } from './server-connection.ts';
import { serverTlsOptions } from './tls-files.ts';
import type { ServerTlsFiles } from './tls-settings.ts';
import { listenUnix } from './unix-socket.ts';

export interface NbdServerOptions {
  /** With it TLS is demanded of every client; without it there is none. */
  readonly tls?: ServerTlsFiles;
  /** Connections at once; more are turned away. Default: 64. */
  readonly maxConnections?: number;
  /** Requests of a connection that wait for the export at once. Default: 64. */
  readonly maxInFlight?: number;
  /** Bytes of requests and replies under way, all connections together; half of it is the longest payload. Default: 64 MiB. */
  readonly memoryBytes?: number;
  /** For a whole negotiation. Default: 10 s. */
  readonly handshakeTimeoutMs?: number;
  /** For a message to come, and for what was sent to be taken. Default: 60 s. */
  readonly transferTimeoutMs?: number;
  /**
   * Keeps the event loop from falling asleep for 0.1 ms after requests that come in quick succession, which more than doubles what a client gets that waits for each
   * answer. For a process that does nothing else, where clients have a processor of their own. Default: false.
   */
  readonly staysAwake?: boolean;
  /** Called for what is worth a line in a log; must not throw. */
  readonly log?: (event: NbdLogEvent) => void;
}

/** How long clients are waited for. */
export interface PatienceOptions {
  /** For them to say goodbye. Default: 1 s. */
  readonly graceMs?: number;
  /** For their requests to end, also those of clients that said nothing. Then they are cut off, unanswered; the export may still be at them. Default: 30 s. */
  readonly drainMs?: number;
}

/** Where to listen on TCP. */
export interface TcpAddress {
  /** Default: `127.0.0.1`. */
  readonly host?: string;
  /** Default: 10809; 0 is any that is free. */
  readonly port?: number;
  /** Allows a host that others can reach although there is no TLS. Default: false. */
  readonly insecure?: boolean;
}

/** How often time-outs are looked at. */
const TICK_MS = 500;

const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|localhost)$/;

/**
 * Serves exports over NBD: fixed newstyle, structured replies, metadata contexts, extended headers, TLS; on unix sockets, TCP, or both.
 *
 * Runs in the thread that made it, as do the exports: see docs/decisions/0007-nbd-server-shape.md. Every client is bounded in memory,
 * requests and time; what one does wrong ends its own connection and no other.
 *
 * @example
 * ```ts
 * const server = new NbdServer();
 * server.add('disk', deviceExport(new MemoryDevice({ nrBlocks: 1024 })), { isDefault: true });
 * const { port } = await server.listenTcp({ port: 0 });
 *
 * const client = await NbdClient.connect(`nbd://127.0.0.1:${port}`);
 * await client.write(1000, new Uint8Array([1, 2, 3]), { fua: true });
 * await client.close();
 * await server.close();
 * ```
 */
export class NbdServer {
  /** Counters, for an exporter to read at any time. */
  readonly metrics: NbdMetrics = newMetrics();
  readonly #exports = new ExportTable();
  readonly #options: NbdServerOptions;
  readonly #tls: TlsOptions | undefined;
  readonly #budget: MemoryBudget;
  readonly #pool: BufferPool;
  readonly #listeners: Server[] = [];
  readonly #connections = new Map<ServerConnection, number>();
  readonly #ticker: NodeJS.Timeout;
  readonly #lookout: Lookout | undefined;
  #nextConnection = 1;
  #closing: Promise<void> | undefined;
  /** Called when a connection has gone, while {@link close} or {@link remove} waits. */
  readonly #onGone = new Set<() => void>();

  /** @throws {StateError | DeviceError} when the files of TLS are missing or unreadable. */
  constructor(options: NbdServerOptions = {}) {
    this.#options = options;
    this.#tls = options.tls === undefined ? undefined : serverTlsOptions(options.tls);
    const limitBytes = options.memoryBytes ?? 64 * 1024 * 1024;
    this.#budget = new MemoryBudget({ limitBytes, floorBytes: 256 * 1024 });
    this.#pool = new BufferPool(limitBytes / 2);
    this.#lookout = options.staysAwake === true ? new Lookout() : undefined;
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#ticker.unref();
  }

  /** Offers an export, also to clients that are connected. @throws as `ExportTable.add`. */
  add(name: string, served: NbdExport, options?: ExportOptions): void {
    this.#exports.add(name, served, options);
  }

  /**
   * Stops offering an export. Who uses it is sent away as by {@link close}.
   *
   * @returns When nobody uses it any more, but for requests that were cut off.
   * @throws {StateError} when there is none of that name.
   */
  async remove(name: string, options: PatienceOptions = {}): Promise<void> {
    const entry = this.#exports.find(name);
    if (entry?.name !== name) throw new StateError(`Cannot remove the export ${JSON.stringify(name)}: there is none`);
    this.#exports.remove(name);
    await this.#sendAway((connection) => connection.session.entry === entry, options);
  }

  /** Connections that use the export of that name. */
  nrUsers(name: string): number {
    return [...this.#connections.keys()].filter(({ session }) => session.entry?.name === name).length;
  }

  /**
   * Listens on a unix socket that only this user can connect to. The socket is removed by {@link close}.
   *
   * @throws {UnsupportedError | LockedError | StateError | DeviceError} as `listenUnix` says.
   */
  async listenUnix(path: string): Promise<void> {
    const listener = this.#newListener();
    await listenUnix(listener, path);
    this.#listening(listener, path);
  }

  /**
   * Listens on TCP.
   *
   * @returns The port.
   * @throws {UnsupportedError} when others could reach the host, there is no TLS, and `insecure` is not set.
   * @throws {LockedError} when another listens there.
   * @throws {DeviceError} when the system refuses.
   */
  async listenTcp(address: TcpAddress = {}): Promise<{ readonly host: string; readonly port: number }> {
    const { host = '127.0.0.1', port = DEFAULT_PORT, insecure = false } = address;
    if (!LOOPBACK.test(host) && this.#tls === undefined && !insecure) {
      throw new UnsupportedError(`Cannot listen on ${host}: others can reach it, so that TLS or "insecure" is wanted`);
    }
    const listener = this.#newListener();
    await listen(listener, { host, port });
    const bound = (listener.address() as { port: number }).port;
    this.#listening(listener, `${host}:${bound}`);
    return { host, port: bound };
  }

  /**
   * Ends orderly: no new connections; requests in flight are finished; new ones fail with ESHUTDOWN; clients that have not said goodbye
   * when `graceMs` is over are cut off. Exports are not flushed or closed: they belong to whoever made them. Idempotent.
   */
  close(options: PatienceOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(patience: PatienceOptions): Promise<void> {
    const closed = this.#listeners.map((listener) => new Promise((done) => listener.close(done)));
    await this.#sendAway(() => true, patience);
    await Promise.all(closed);
    clearInterval(this.#ticker);
  }

  async #sendAway(isMeant: (connection: ServerConnection) => boolean, patience: PatienceOptions): Promise<void> {
    const { graceMs = 1000, drainMs = 30_000 } = patience;
    const meant = [...this.#connections.keys()].filter(isMeant);
    for (const { session } of meant) session.stop();
    const isHere = (connection: ServerConnection) => this.#connections.has(connection);
    await this.#until(() => !meant.some(isHere), graceMs);
    for (const connection of meant) if (isHere(connection) && connection.session.nrInFlight === 0) connection.destroy();
    await this.#until(() => !meant.some(({ session }) => session.nrInFlight > 0), drainMs);
    for (const connection of meant) {
      const { nrInFlight } = connection.session;
      const number = this.#connections.get(connection);
      if (nrInFlight > 0 && number !== undefined) {
        const message = `${nrInFlight} requests have not ended in ${drainMs} ms`;
        this.#log({ level: 'warning', event: 'dropped', connection: number, message });
      }
      connection.destroy();
    }
    await this.#until(() => !meant.some(isHere), undefined);
  }

  /** Waits for something that connections' ends, or ticks, bring about. */
  async #until(isDone: () => boolean, limitMs: number | undefined): Promise<void> {
    const beganMs = monotonicMs();
    while (!isDone() && (limitMs === undefined || monotonicMs() - beganMs < limitMs)) {
      await new Promise<void>((done) => {
        const wake = () => {
          clearTimeout(timer);
          this.#onGone.delete(wake);
          done();
        };
        const timer = setTimeout(wake, Math.min(20, limitMs ?? 20));
        this.#onGone.add(wake);
      });
    }
  }

  #newListener(): Server {
    if (this.#closing !== undefined) throw new StateError('Cannot listen: the server is closed');
    return createServer({ noDelay: true, keepAlive: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  #listening(listener: Server, where: string): void {
    listener.on('error', (error) => this.#log({ level: 'error', event: 'failed', message: error.message }));
    if (this.#closing !== undefined) listener.close();
    else this.#listeners.push(listener);
    this.#log({ level: 'info', event: 'listening', message: where });
  }

  #accept(socket: Socket): void {
    const { connections } = this.metrics;
    if (this.#connections.size >= (this.#options.maxConnections ?? 64) || this.#closing !== undefined) {
      connections.refused += 1;
      this.#log({ level: 'warning', event: 'refused', message: `${this.#connections.size} connections are open` });
      socket.destroy();
      return;
    }
    const number = this.#nextConnection;
    this.#nextConnection += 1;
    connections.total += 1;
    connections.open += 1;
    this.#log({ level: 'info', event: 'connected', connection: number });
    const connection = new ServerConnection({
      socket,
      tls: this.#tls,
      exports: this.#exports,
      budget: this.#budget,
      pool: this.#pool,
      metrics: this.metrics,
      limits: {
        handshakeTimeoutMs: this.#options.handshakeTimeoutMs ?? 10_000,
        transferTimeoutMs: this.#options.transferTimeoutMs ?? 60_000,
        maxInFlight: this.#options.maxInFlight ?? 64,
      },
      log: (event) => this.#log({ ...event, connection: number }),
      lookout: this.#lookout,
      onClosed: (closed) => this.#onClosed(closed, number),
    });
    this.#connections.set(connection, number);
  }

  #onClosed(connection: ServerConnection, number: number): void {
    this.#connections.delete(connection);
    this.metrics.connections.open -= 1;
    const { error } = connection;
    this.#log({
      level: 'info',
      event: 'disconnected',
      connection: number,
      ...(error === undefined ? {} : { message: error.message }),
    });
    for (const wake of [...this.#onGone]) wake();
  }

  #tick(): void {
    const nowMs = monotonicMs();
    for (const { session } of this.#connections.keys()) session.tick(nowMs);
  }

  #log(event: NbdLogEvent): void {
    this.#options.log?.(event);
  }
}

function listen(listener: Server, options: ListenOptions): Promise<void> {
  return new Promise((done, fail) => {
    listener.once('error', (cause: NodeJS.ErrnoException) => {
      const text = `Cannot listen on ${options.host}:${options.port}: ${cause.message}`;
      fail(
        cause.code === 'EADDRINUSE' ? new LockedError(text, undefined, { cause }) : new DeviceError(text, { cause }),
      );
    });
    listener.listen(options, () => {
      listener.removeAllListeners('error');
      done();
    });
  });
}
