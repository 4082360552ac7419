import { monotonicMs } from '../base/index.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { ExportTable, NamedExport } from './export-table.ts';
import type { BudgetShare, MemoryBudget } from './memory-budget.ts';
import type { NbdLogEvent, NbdMetrics } from './metrics.ts';
import { type Agreement, Negotiation, type Outcome, type TlsState } from './negotiation.ts';
import { Outbox } from './outbox.ts';
import { COMMAND_NAMES } from './protocol.ts';
import { newTarget } from './request-check.ts';
import { Transmission } from './transmission.ts';

/** What a session needs of its connection. */
export interface SessionLink {
  /** Sends parts in order; calls `onSent` when they have left, or never will. */
  send(parts: readonly Uint8Array[], onSent: () => void): void;
  /** No more input for now; then more again. */
  pause(): void;
  resume(): void;
  /** Lets what was sent arrive and then closes. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
  /** Begins TLS once everything sent has left. {@link ServerSession.onSecure} follows. */
  startTls(): void;
}

/** Bounds of one connection. */
export interface SessionLimits {
  /** From the greeting to the end of the negotiation. */
  readonly handshakeTimeoutMs: number;
  /** From the first to the last byte of a message; and for what was sent to leave. */
  readonly transferTimeoutMs: number;
  /** Requests that wait for the export at once. */
  readonly maxInFlight: number;
}

export interface SessionOptions {
  readonly exports: ExportTable;
  readonly tls: 'none' | 'required';
  readonly budget: MemoryBudget;
  readonly pool: BufferPool;
  readonly metrics: NbdMetrics;
  readonly limits: SessionLimits;
  readonly link: SessionLink;
  readonly log: (event: NbdLogEvent) => void;
}

/** Replies of the negotiation beyond this many bytes are to leave before more options are looked at. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** A session that was ended waits this long for the client to close. */
const FAREWELL_MS = 5000;

const NOTHING = new Uint8Array(0);

/**
 * The server's side of one connection, without a socket: bytes in, bytes out. Negotiates, then serves one export.
 *
 * No input makes it throw: what breaks the protocol closes the link. After {@link onGone} it holds no memory but what requests that wait for
 * the export still need.
 */
export class ServerSession {
  readonly #options: SessionOptions;
  readonly #share: BudgetShare;
  readonly #outbox: Outbox;
  #negotiation: Negotiation;
  #transmission: Transmission | undefined;
  #entry: NamedExport | undefined;
  #tls: TlsState;
  #isStartingTls = false;
  /** Input that there was no room for yet. */
  #rest: Uint8Array = NOTHING;
  #isPaused = false;
  #isFeeding = false;
  #isProceedPlanned = false;
  #isStopping = false;
  /** When the last word was said: the link was ended or destroyed. */
  #closedMs: number | undefined;
  readonly #sinceMs = monotonicMs();
  /** Since when a message is incomplete, and which; since when nothing of what was sent has left. */
  #messageSinceMs: number | undefined;
  #messageNumber = 0;
  #sendingSinceMs: number | undefined;
  readonly #wake = () => this.#proceed();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#tls = options.tls;
    this.#share = options.budget.share();
    this.#outbox = new Outbox(options.pool, this.#share, (parts, onSent) => this.#send(parts, onSent));
    this.#negotiation = this.#newNegotiation();
    this.#outbox.flush();
  }

  /** The export that was agreed on. */
  get entry(): NamedExport | undefined {
    return this.#entry;
  }

  /** Bytes of the budget that it holds. */
  get heldBytes(): number {
    return this.#share.heldBytes;
  }

  /** Requests that wait for the export. */
  get nrInFlight(): number {
    return this.#transmission?.nrInFlight ?? 0;
  }

  /** Where the next bytes from the client belong, when that is known: received there, they are not copied. */
  get nextTarget(): Uint8Array | undefined {
    return this.#closedMs === undefined ? this.#transmission?.nextTarget : undefined;
  }

  /**
   * Takes the next bytes from the client.
   *
   * @returns Whether it keeps the memory that they are in, for requests that wait; otherwise that may be used again.
   */
  receive(piece: Uint8Array): boolean {
    // What comes between STARTTLS and the handshake is dropped: it may be anybody's.
    if (this.#closedMs !== undefined || this.#isStartingTls) return false;
    // A link may deliver what it had read before it was paused.
    this.#rest = this.#rest.byteLength === 0 ? piece : Buffer.concat([this.#rest, piece]);
    this.#proceed();
    const isKept = this.#transmission?.takeKeptInput() ?? false;
    return isKept || this.#rest.byteLength > 0;
  }

  /** TLS is on, after {@link SessionLink.startTls}: everything is negotiated anew. */
  onSecure(): void {
    if (this.#closedMs !== undefined) return;
    this.#isStartingTls = false;
    this.#tls = 'on';
    this.#negotiation = this.#newNegotiation(this.#negotiation.clientFlags);
  }

  /** The connection is closed, by whomever. */
  onGone(): void {
    this.#closedMs ??= monotonicMs();
    this.#rest = NOTHING;
    this.#options.budget.forget(this.#wake);
    this.#transmission?.abandon();
    this.#outbox.close();
  }

  /**
   * Begins an orderly end: what is in flight is finished, new requests fail with ESHUTDOWN, and the client may say goodbye. A client
   * that negotiates has nothing to lose: its connection is closed.
   */
  stop(): void {
    this.#isStopping = true;
    if (this.#transmission === undefined) this.#end();
  }

  /** Looks at the time-outs; to be called now and then. @param nowMs - On the monotonic clock. */
  tick(nowMs: number): void {
    const { handshakeTimeoutMs, transferTimeoutMs } = this.#options.limits;
    if (this.#closedMs !== undefined) {
      if (nowMs - this.#closedMs > FAREWELL_MS) this.#options.link.destroy();
    } else if (this.#transmission === undefined && nowMs - this.#sinceMs > handshakeTimeoutMs) {
      this.#drop(`the negotiation took more than ${handshakeTimeoutMs} ms`);
    } else if (nowMs - (this.#sendingSinceMs ?? nowMs) > transferTimeoutMs) {
      this.#drop(`the client took nothing for ${transferTimeoutMs} ms`);
    } else if (nowMs - (this.#messageSinceMs ?? nowMs) > transferTimeoutMs) {
      this.#drop(`a message was incomplete for ${transferTimeoutMs} ms`);
    }
  }

  #newNegotiation(clientFlags?: number): Negotiation {
    return new Negotiation({
      exports: this.#options.exports,
      tls: this.#tls,
      ...(clientFlags === undefined ? {} : { clientFlags }),
      isStopping: () => this.#isStopping,
      isCongested: () => this.#outbox.waitingBytes >= MAX_WAITING_BYTES,
      send: (bytes) => {
        this.#share.add(bytes.byteLength);
        this.#outbox.append(bytes);
      },
      onOutcome: (outcome) => this.#onOutcome(outcome),
    });
  }

  #onOutcome(outcome: Outcome): void {
    switch (outcome.kind) {
      case 'agreed':
        this.#agree(outcome.agreement);
        return;
      case 'starttls':
        this.#isStartingTls = true;
        return;
      case 'aborted':
        this.#end();
        return;
      case 'broken':
        this.#drop(outcome.reason);
        return;
    }
  }

  #agree({ entry, structured, extended, contexts }: Agreement): void {
    const { pool, metrics, limits, log } = this.#options;
    this.#entry = entry;
    log({ level: 'info', event: 'agreed', export: entry.name });
    this.#transmission = new Transmission({
      target: newTarget(entry.export, { structured, extended }, contexts),
      outbox: this.#outbox,
      share: this.#share,
      pool,
      metrics,
      maxInFlight: limits.maxInFlight,
      isStopping: () => this.#isStopping,
      onAnswered: () => this.#planProceeding(),
      onFailure: (request, error) => {
        const message = `${COMMAND_NAMES[request.type]} of ${request.length} bytes at ${request.offset}: ${error.message}`;
        log({ level: 'error', event: 'failed', export: entry.name, message });
      },
      onBroken: (reason) => this.#drop(reason),
    });
  }

  /** Feeds what there is to who is in charge, and sends the replies. Never inside itself. */
  #proceed(): void {
    if (this.#isFeeding || this.#closedMs !== undefined || this.#isStartingTls) return;
    this.#isFeeding = true;
    let parser: Negotiation | Transmission;
    try {
      do {
        parser = this.#transmission ?? this.#negotiation;
        parser.resume();
        const used = parser.feed(this.#rest);
        this.#rest = used === this.#rest.byteLength ? NOTHING : this.#rest.subarray(used);
      } while (this.#closedMs === undefined && parser !== (this.#transmission ?? this.#negotiation));
    } catch (error) {
      // Requests catch what their export throws. What is left are its properties, and bugs: they cost this connection, not all.
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.log({ level: 'error', event: 'failed', message });
      this.#drop('the server failed');
      return;
    } finally {
      this.#isFeeding = false;
    }
    this.#outbox.flush();
    if (this.#closedMs !== undefined) return;
    if (this.#isStartingTls) {
      this.#rest = NOTHING;
      this.#messageSinceMs = undefined;
      this.#options.link.startTls();
    } else if (this.#transmission?.isOver === true) {
      if (this.#transmission.nrInFlight === 0) this.#end();
    } else this.#regulate(parser);
  }

  /** Pauses the link while the parser has no room, and watches messages that do not end. */
  #regulate(parser: Negotiation | Transmission): void {
    const { link, budget } = this.#options;
    if (parser.isHalted) {
      // Woken by what it sent, by a request that was answered, or by memory that others gave back.
      budget.wait(this.#wake);
      this.#messageSinceMs = undefined;
    } else if (!parser.isInsideMessage) this.#messageSinceMs = undefined;
    else if (this.#messageSinceMs === undefined || this.#messageNumber !== parser.nrHeaders) {
      this.#messageSinceMs = monotonicMs();
      this.#messageNumber = parser.nrHeaders;
    }
    if (parser.isHalted === this.#isPaused) return;
    this.#isPaused = parser.isHalted;
    if (this.#isPaused) link.pause();
    else link.resume();
  }

  /** Replies that are ready at one moment leave together. */
  #planProceeding(): void {
    if (this.#isProceedPlanned) return;
    this.#isProceedPlanned = true;
    queueMicrotask(() => {
      this.#isProceedPlanned = false;
      if (this.#closedMs === undefined) this.#proceed();
      else this.#outbox.flush();
    });
  }

  #send(parts: readonly Uint8Array[], onSent: () => void): void {
    this.#sendingSinceMs ??= monotonicMs();
    this.#options.link.send(parts, () => {
      onSent();
      this.#sendingSinceMs = this.#outbox.isSending ? monotonicMs() : undefined;
      if (this.#isPaused) this.#proceed();
    });
  }

  #end(): void {
    if (this.#closedMs !== undefined) return;
    this.#closedMs = monotonicMs();
    this.#outbox.flush();
    this.#options.link.end();
  }

  #drop(reason: string): void {
    if (this.#closedMs !== undefined) return;
    this.#closedMs = monotonicMs();
    this.#options.metrics.connections.dropped += 1;
    this.#options.log({ level: 'warning', event: 'dropped', message: reason });
    this.#options.link.destroy();
  }
}
