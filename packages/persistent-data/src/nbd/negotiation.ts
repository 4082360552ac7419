import type { ExportTable, NamedExport } from './export-table.ts';
import {
  decodeString,
  type InfoRequest,
  OptionDataError,
  parseInfoRequest,
  parseMetaQueries,
  queryShows,
} from './option-data.ts';
import {
  contextReply,
  exportNameReply,
  greeting,
  infoReplies,
  optionError,
  optionReply,
  serverReply,
} from './option-reply.ts';
import { BOUNDS, HANDSHAKE_FLAGS, IHAVEOPT, OPTIONS, REPLIES, SIZES } from './protocol.ts';
import { StreamParser } from './stream-parser.ts';
import { getU32 } from './wire.ts';

/** What was agreed at the end of the negotiation. */
export interface Agreement {
  readonly entry: NamedExport;
  readonly structured: boolean;
  /** Implies `structured`. */
  readonly extended: boolean;
  /** Selected metadata contexts; the id of each is its place. */
  readonly contexts: readonly string[];
}

/** How a negotiation ended: with an agreement, a change to TLS, a farewell, or a breach of the protocol. */
export type Outcome =
  | { readonly kind: 'agreed'; readonly agreement: Agreement }
  | { readonly kind: 'starttls' }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'broken'; readonly reason: string };

/** Where TLS stands: not offered, demanded before anything else, or on. */
export type TlsState = 'none' | 'required' | 'on';

export interface NegotiationOptions {
  readonly exports: ExportTable;
  readonly tls: TlsState;
  /** The client's flags from before STARTTLS, after which neither the greeting nor they are repeated. */
  readonly clientFlags?: number;
  /** Whether the server is being closed: nothing but ABORT is accepted then. */
  readonly isStopping: () => boolean;
  readonly send: (bytes: Uint8Array) => void;
  /** Called once, as the last thing. */
  readonly onOutcome: (outcome: Outcome) => void;
  /** Called after each option; halts when too much waits to be sent. */
  readonly isCongested: () => boolean;
}

/** Longest data of an option that is looked at; longer ones are refused, and beyond the bound of payloads cut off. */
const MAX_OPTION_BYTES = 64 * 1024;

const OFFERED_FLAGS = HANDSHAKE_FLAGS.fixedNewstyle | HANDSHAKE_FLAGS.noZeroes;

/**
 * The server's side of the negotiation, fixed newstyle. Takes bytes, gives bytes; knows no socket. Memory: one option's data,
 * at most 64 KiB.
 */
export class Negotiation extends StreamParser {
  readonly #options: NegotiationOptions;
  /** The client's flags; `undefined` until they are here. */
  #clientFlags: number | undefined;
  #option = 0;
  #structured = false;
  #extended = false;
  /** What the last SET_META_CONTEXT selected, and for which export. */
  #contexts: readonly string[] = [];
  #contextsOf: NamedExport | undefined;
  #ended = false;

  constructor(options: NegotiationOptions) {
    super();
    this.#options = options;
    this.#clientFlags = options.clientFlags;
    if (options.clientFlags === undefined) options.send(greeting(OFFERED_FLAGS));
    this.expect(options.clientFlags === undefined ? SIZES.clientFlags : SIZES.option);
  }

  /** What the client answered to the greeting; 0 before. */
  get clientFlags(): number {
    return this.#clientFlags ?? 0;
  }

  /** Goes on after congestion. The caller feeds the rest. */
  resume(): void {
    if (!this.#ended) this.proceed();
  }

  protected override onHeader(bytes: Uint8Array, at: number): boolean {
    if (this.#clientFlags === undefined) this.#onClientFlags(getU32(bytes, at));
    else this.#onOption(bytes, at);
    return true;
  }

  #onClientFlags(flags: number): void {
    const wanted = HANDSHAKE_FLAGS.fixedNewstyle;
    if ((flags & ~OFFERED_FLAGS) !== 0 || (flags & wanted) === 0) {
      this.#end({ kind: 'broken', reason: `client flags are 0x${flags.toString(16)}, 0x1 or 0x3 is wanted` });
      return;
    }
    this.#clientFlags = flags;
    this.expect(SIZES.option);
  }

  #onOption(bytes: Uint8Array, at: number): void {
    if (getU32(bytes, at) !== IHAVEOPT[0] || getU32(bytes, at + 4) !== IHAVEOPT[1]) {
      this.#end({ kind: 'broken', reason: 'an option does not begin with IHAVEOPT' });
      return;
    }
    this.#option = getU32(bytes, at + 8);
    const length = getU32(bytes, at + 12);
    if (length > MAX_OPTION_BYTES) {
      const isName = this.#option === OPTIONS.exportName;
      if (length > BOUNDS.payloadBytes || isName) {
        this.#end({ kind: 'broken', reason: `option ${this.#option} has ${length} bytes of data` });
        return;
      }
      this.#refuse(REPLIES.errTooBig, `data has ${length} bytes, at most ${MAX_OPTION_BYTES} are accepted`);
      this.skip(length);
      return;
    }
    this.take(length, (size) => new Uint8Array(size));
  }

  /** The whole option is here. */
  protected override onPayload(data: Uint8Array): void {
    try {
      this.#answer(data);
    } catch (error) {
      if (!(error instanceof OptionDataError)) throw error;
      if (this.#option === OPTIONS.exportName) this.#end({ kind: 'broken', reason: error.message });
      else this.#refuse(error.tooBig ? REPLIES.errTooBig : REPLIES.errInvalid, error.message);
    }
    if (!this.#ended && this.#options.isCongested()) this.halt();
  }

  #answer(data: Uint8Array): void {
    const option = this.#option;
    if (option === OPTIONS.abort) {
      this.#send(optionReply(option, REPLIES.ack));
      this.#end({ kind: 'aborted' });
    } else if (this.#options.isStopping()) {
      if (option === OPTIONS.exportName) this.#end({ kind: 'broken', reason: 'the server is being closed' });
      else this.#refuse(REPLIES.errShutdown, 'the server is being closed');
    } else if (option === OPTIONS.starttls) this.#onStartTls(data);
    else if (this.#options.tls === 'required') {
      if (option === OPTIONS.exportName) this.#end({ kind: 'broken', reason: 'EXPORT_NAME before STARTTLS' });
      else this.#refuse(REPLIES.errTlsReqd, 'this server wants STARTTLS first');
    } else this.#answerOpenly(data);
  }

  /** Options that need no further permission. */
  #answerOpenly(data: Uint8Array): void {
    switch (this.#option) {
      case OPTIONS.exportName:
        this.#onExportName(data);
        return;
      case OPTIONS.list:
        this.#onList(data);
        return;
      case OPTIONS.info:
      case OPTIONS.go:
        this.#onInfo(parseInfoRequest(data));
        return;
      case OPTIONS.structuredReply:
        this.#onStructuredReply(data);
        return;
      case OPTIONS.extendedHeaders:
        this.#onExtendedHeaders(data);
        return;
      case OPTIONS.listMetaContext:
      case OPTIONS.setMetaContext:
        this.#onMetaContext(data);
        return;
      default:
        this.#refuse(REPLIES.errUnsup, `option ${this.#option} is not known`);
        return;
    }
  }

  #onStartTls(data: Uint8Array): void {
    needEmpty(data);
    if (this.#options.tls === 'none') this.#refuse(REPLIES.errPolicy, 'this server has no TLS');
    else if (this.#options.tls === 'on') this.#refuse(REPLIES.errInvalid, 'TLS is on already');
    else {
      this.#send(optionReply(this.#option, REPLIES.ack));
      this.#end({ kind: 'starttls' });
    }
  }

  #onExportName(data: Uint8Array): void {
    const name = decodeString(data, 'export name');
    const entry = this.#options.exports.find(name);
    if (this.#extended) this.#end({ kind: 'broken', reason: 'EXPORT_NAME after EXTENDED_HEADERS' });
    else if (entry === undefined) this.#end({ kind: 'broken', reason: `there is no export ${JSON.stringify(name)}` });
    else {
      const noZeroes = (this.clientFlags & HANDSHAKE_FLAGS.noZeroes) !== 0;
      this.#send(exportNameReply(entry, this.#form, noZeroes));
      this.#agree(entry);
    }
  }

  #onList(data: Uint8Array): void {
    needEmpty(data);
    for (const entry of this.#options.exports.list()) this.#send(serverReply(this.#option, entry));
    this.#send(optionReply(this.#option, REPLIES.ack));
  }

  #onInfo({ name, infos }: InfoRequest): void {
    const entry = this.#find(name);
    if (entry === undefined) return;
    for (const reply of infoReplies(this.#option, entry, this.#form, infos)) this.#send(reply);
    this.#send(optionReply(this.#option, REPLIES.ack));
    if (this.#option === OPTIONS.go) this.#agree(entry);
  }

  #onStructuredReply(data: Uint8Array): void {
    needEmpty(data);
    if (this.#extended) {
      this.#refuse(REPLIES.errExtHeaderReqd, 'extended headers are on already');
      return;
    }
    this.#structured = true;
    this.#send(optionReply(this.#option, REPLIES.ack));
  }

  #onExtendedHeaders(data: Uint8Array): void {
    needEmpty(data);
    if (this.#extended) {
      this.#refuse(REPLIES.errInvalid, 'extended headers are on already');
      return;
    }
    this.#structured = true;
    this.#extended = true;
    this.#send(optionReply(this.#option, REPLIES.ack));
  }

  #onMetaContext(data: Uint8Array): void {
    const isSet = this.#option === OPTIONS.setMetaContext;
    if (isSet) {
      // Each call replaces what was selected, also one that fails.
      this.#contexts = [];
      this.#contextsOf = undefined;
    }
    const { name, queries } = parseMetaQueries(data);
    if (!this.#structured) {
      this.#refuse(REPLIES.errInvalid, 'STRUCTURED_REPLY has to come first');
      return;
    }
    const entry = this.#find(name);
    if (entry === undefined) return;
    const offered = entry.export.contexts ?? [];
    const matches = (context: string) =>
      isSet ? queries.includes(context) : queries.length === 0 || queries.some((query) => queryShows(query, context));
    const found = offered.filter(matches);
    for (const [id, context] of found.entries()) this.#send(contextReply(this.#option, id, context));
    if (isSet) {
      this.#contexts = found;
      this.#contextsOf = entry;
    }
    this.#send(optionReply(this.#option, REPLIES.ack));
  }

  #find(name: string): NamedExport | undefined {
    const entry = this.#options.exports.find(name);
    if (entry === undefined) this.#refuse(REPLIES.errUnknown, `there is no export ${JSON.stringify(name)}`);
    return entry;
  }

  get #form(): { structured: boolean; extended: boolean } {
    return { structured: this.#structured, extended: this.#extended };
  }

  #agree(entry: NamedExport): void {
    const contexts = this.#contextsOf === entry ? this.#contexts : [];
    this.#end({ kind: 'agreed', agreement: { entry, ...this.#form, contexts } });
  }

  #send(bytes: Uint8Array): void {
    this.#options.send(bytes);
  }

  #refuse(type: number, message: string): void {
    this.#send(optionError(this.#option, type, message));
  }

  #end(outcome: Outcome): void {
    this.#ended = true;
    this.halt();
    this.#options.onOutcome(outcome);
  }
}

function needEmpty(data: Uint8Array): void {
  if (data.byteLength > 0) throw new OptionDataError(`data has ${data.byteLength} bytes, none are wanted`);
}
