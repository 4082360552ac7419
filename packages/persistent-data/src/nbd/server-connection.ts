import type { Socket } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { type Receiver, readDirectly } from './direct-reading.ts';
import type { Lookout } from './lookout.ts';
import type { NbdLogEvent } from './metrics.ts';
import { ServerSession, type SessionLink, type SessionOptions } from './server-session.ts';

export interface ServerConnectionOptions extends Omit<SessionOptions, 'link' | 'tls' | 'log'> {
  /** Paused, and never read before. */
  readonly socket: Socket;
  /** Absent: without TLS. */
  readonly tls: TlsOptions | undefined;
  readonly log: (event: NbdLogEvent) => void;
  /** Of all connections together. Absent where the processor is needed for the client. */
  readonly lookout: Lookout | undefined;
  /** Called once, when the socket is closed. */
  readonly onClosed: (connection: ServerConnection) => void;
}

/** A session and its socket. */
export class ServerConnection implements SessionLink, Receiver {
  readonly session: ServerSession;
  readonly #options: ServerConnectionOptions;
  /** The socket that was accepted, and the one to talk through: itself, or TLS over it. */
  readonly #raw: Socket;
  #socket: Socket;
  #error: Error | undefined;
  readonly #onData = (piece: Buffer): void => {
    this.session.receive(piece);
  };

  constructor(options: ServerConnectionOptions) {
    this.#options = options;
    const { tls, socket } = options;
    // TLS takes over a socket that is read by events.
    this.#raw = tls === undefined ? readDirectly(socket, this) : socket;
    this.#socket = this.#raw;
    this.session = new ServerSession({ ...options, link: this, tls: tls === undefined ? 'none' : 'required' });
    this.#raw.on('error', (error) => {
      this.#error ??= error;
    });
    this.#raw.on('close', () => this.#onClose());
    if (tls === undefined) return;
    this.#raw.on('data', this.#onData);
    this.#raw.resume();
  }

  get nextTarget(): Uint8Array | undefined {
    // Asked for once before there is a session: the socket comes first.
    return (this.session as ServerSession | undefined)?.nextTarget;
  }

  receive(piece: Uint8Array): boolean {
    this.#options.lookout?.note();
    return this.session.receive(piece);
  }

  /** What the socket failed with. */
  get error(): Error | undefined {
    return this.#error;
  }

  send(parts: readonly Uint8Array[], onSent: () => void): void {
    const socket = this.#socket;
    const last = parts.length - 1;
    if (last === 0) {
      socket.write(parts[0]!, onSent);
      return;
    }
    // One system call for all of them.
    socket.cork();
    for (let i = 0; i < last; i += 1) socket.write(parts[i]!);
    socket.write(parts[last]!, onSent);
    socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#raw.destroy();
  }

  startTls(): void {
    const raw = this.#raw;
    raw.off('data', this.#onData);
    raw.pause();
    // What is written has to leave as it is; an empty write is done when all before it is.
    raw.write('', () => {
      if (raw.destroyed) return;
      // A server of its own, which never listens: it checks certificates, as the bare TLS socket does not.
      const tls = createServer({ ...this.#options.tls, handshakeTimeout: this.#options.limits.handshakeTimeoutMs });
      tls.once('secureConnection', (socket) => this.#onSecure(socket));
      tls.once('tlsClientError', (error) => {
        this.#error ??= error;
        raw.destroy();
      });
      tls.emit('connection', raw);
    });
  }

  #onSecure(socket: TLSSocket): void {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    socket.on('close', () => this.#raw.destroy());
    this.session.onSecure();
    socket.on('data', this.#onData);
  }

  #onClose(): void {
    this.session.onGone();
    this.#options.onClosed(this);
  }
}
