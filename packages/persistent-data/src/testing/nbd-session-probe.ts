import {
  BufferPool,
  type ExportOptions,
  ExportTable,
  MemoryBudget,
  type NbdExport,
  type NbdLogEvent,
  type NbdMetrics,
  newMetrics,
  ServerSession,
  type SessionLimits,
  type SessionLink,
} from '../nbd/index.ts';
import { bytesOf } from './nbd-messages.ts';

export interface SessionProbeOptions {
  readonly tls?: 'none' | 'required';
  readonly limits?: Partial<SessionLimits>;
  readonly budget?: MemoryBudget;
  /** Whether what is sent stays in memory until {@link SessionProbe.release}: a client that reads nothing. Default: false. */
  readonly holdsSent?: boolean;
}

/** A session of an NBD server without a socket: give it bytes, look at what it says and does. */
export class SessionProbe implements SessionLink {
  readonly session: ServerSession;
  readonly exports = new ExportTable();
  readonly metrics: NbdMetrics = newMetrics();
  readonly budget: MemoryBudget;
  readonly pool = new BufferPool(1 << 20);
  /** What it did with its link: `pause`, `resume`, `end`, `destroy`, `startTls`. */
  readonly actions: string[] = [];
  readonly events: NbdLogEvent[] = [];
  readonly #sent: Uint8Array[] = [];
  readonly #held: (() => void)[] = [];
  #holdsSent: boolean;

  constructor(
    exports: Readonly<Record<string, NbdExport>> = {},
    options: SessionProbeOptions = {},
    how?: ExportOptions,
  ) {
    for (const [name, served] of Object.entries(exports)) this.exports.add(name, served, how);
    this.budget = options.budget ?? new MemoryBudget({ limitBytes: 64 << 20, floorBytes: 256 << 10 });
    this.#holdsSent = options.holdsSent ?? false;
    this.session = new ServerSession({
      exports: this.exports,
      tls: options.tls ?? 'none',
      budget: this.budget,
      pool: this.pool,
      metrics: this.metrics,
      limits: { handshakeTimeoutMs: 10_000, transferTimeoutMs: 60_000, maxInFlight: 64, ...options.limits },
      link: this,
      log: (event) => this.events.push(event),
    });
  }

  /** Gives it bytes of the client, in pieces of at most `pieceBytes`. */
  receive(bytes: Uint8Array, pieceBytes = bytes.byteLength): this {
    const step = Math.max(1, pieceBytes);
    for (let at = 0; at < bytes.byteLength; at += step) {
      const piece = bytes.slice(at, at + step);
      // What it does not keep is used for something else, as a socket's memory is.
      if (!this.session.receive(piece)) piece.fill(0xdd);
    }
    return this;
  }

  /** What it sent since the last call. */
  take(): Uint8Array {
    return bytesOf(...this.#sent.splice(0));
  }

  /** From now on what is sent stays, until {@link release}. */
  hold(): void {
    this.#holdsSent = true;
  }

  /** Lets what was sent leave, from now on at once. */
  release(): void {
    this.#holdsSent = false;
    for (const onSent of this.#held.splice(0)) onSent();
  }

  /** Whether it ended or destroyed its link. */
  get isClosed(): boolean {
    return this.actions.includes('end') || this.actions.includes('destroy');
  }

  send(parts: readonly Uint8Array[], onSent: () => void): void {
    // The memory is used again after `onSent`.
    for (const part of parts) this.#sent.push(part.slice());
    if (this.#holdsSent) this.#held.push(onSent);
    else queueMicrotask(onSent);
  }

  pause(): void {
    this.actions.push('pause');
  }

  resume(): void {
    this.actions.push('resume');
  }

  end(): void {
    this.actions.push('end');
  }

  destroy(): void {
    this.actions.push('destroy');
  }

  startTls(): void {
    this.actions.push('startTls');
  }
}
