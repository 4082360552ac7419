import { ProtocolError } from '../base/index.ts';
import { HANDSHAKE_FLAGS, IHAVEOPT, NBDMAGIC, OPTION_REPLY_MAGIC, OPTIONS, REPLIES, SIZES } from './protocol.ts';
import { StreamParser } from './stream-parser.ts';
import { getU16, getU32, getU64, putU32 } from './wire.ts';

/** A reply to an option. */
export interface OptionReply {
  readonly type: number;
  readonly data: Uint8Array;
}

/** All replies to an option: the last one, and those before it. */
export interface OptionAnswer {
  readonly final: OptionReply;
  readonly before: readonly OptionReply[];
}

/** Most bytes and replies that one option is answered with: a list of many thousand exports. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
const MAX_REPLIES = 65536;

const ERROR_BIT = 0x80000000;

/**
 * The client's side of the negotiation's messages: sends one option at a time, and collects its replies. Halts after the last reply of
 * STARTTLS, GO and EXPORT_NAME, when another protocol follows.
 */
export class ClientOptions extends StreamParser {
  readonly #send: (bytes: Uint8Array) => void;
  /** The server's handshake flags; `undefined` until the greeting is here. */
  #serverFlags: number | undefined;
  #waiting: { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void } | undefined;
  /** Number of the option that was sent. */
  #option = 0;
  #replyType = 0;
  #before: OptionReply[] = [];
  #nrBytes = 0;
  #failure: Error | undefined;

  constructor(send: (bytes: Uint8Array) => void) {
    super();
    this.#send = send;
    this.expect(SIZES.hello);
  }

  /** Goes on after the protocol changed: TLS is on. */
  resume(): void {
    this.proceed();
  }

  /** Everything that waits fails, now and later. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.halt();
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }

  /** Waits for the greeting and answers it. @throws {ProtocolError} when it is no NBD server, or one of before 2011. */
  async greet(): Promise<void> {
    if (this.#serverFlags === undefined || this.#failure !== undefined) await this.#wait();
    const flags = new Uint8Array(4);
    putU32(flags, 0, this.#serverFlags! & (HANDSHAKE_FLAGS.fixedNewstyle | HANDSHAKE_FLAGS.noZeroes));
    this.#send(flags);
  }

  /** Sends an option and waits for its last reply. */
  async ask(option: number, data: Uint8Array = new Uint8Array(0)): Promise<OptionAnswer> {
    const bytes = new Uint8Array(SIZES.option + data.byteLength);
    putU32(bytes, 0, IHAVEOPT[0]);
    putU32(bytes, 4, IHAVEOPT[1]);
    putU32(bytes, 8, option);
    putU32(bytes, 12, data.byteLength);
    bytes.set(data, SIZES.option);
    this.#option = option;
    this.#before = [];
    this.#nrBytes = 0;
    // The answer to EXPORT_NAME has no head: size and flags only, then perhaps zeroes.
    this.expect(option === OPTIONS.exportName ? 10 : SIZES.optionReply);
    this.#send(bytes);
    return (await this.#wait()) as OptionAnswer;
  }

  #wait(): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #answer(value: unknown): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(value);
  }

  protected override onHeader(bytes: Uint8Array, at: number): boolean {
    if (this.#serverFlags === undefined) this.#onGreeting(bytes, at);
    else if (this.#waiting === undefined) this.#break('something came that was not asked for');
    else if (this.#option === OPTIONS.exportName) this.#onExportName(bytes, at);
    else this.#onReply(bytes, at);
    return true;
  }

  #onGreeting(bytes: Uint8Array, at: number): void {
    const magic = [...NBDMAGIC, ...IHAVEOPT];
    if (magic.some((word, i) => getU32(bytes, at + 4 * i) !== word)) {
      this.#break('no NBD server greets like this');
      return;
    }
    this.#serverFlags = getU16(bytes, at + 16);
    if ((this.#serverFlags & HANDSHAKE_FLAGS.fixedNewstyle) === 0) {
      this.#break('the server does not know fixed newstyle');
      return;
    }
    this.expect(SIZES.optionReply);
    this.#answer(undefined);
  }

  #onExportName(bytes: Uint8Array, at: number): void {
    const data = bytes.slice(at, at + 10);
    this.#before = [{ type: REPLIES.ack, data }];
    // Zeroes follow where nobody said that they are not needed.
    this.take((this.#serverFlags! & HANDSHAKE_FLAGS.noZeroes) === 0 ? 124 : 0, (size) => new Uint8Array(size));
  }

  #onReply(bytes: Uint8Array, at: number): void {
    if (getU64(bytes, at) !== OPTION_REPLY_MAGIC[0] * 2 ** 32 + OPTION_REPLY_MAGIC[1]) {
      this.#break('a reply has the wrong magic');
      return;
    }
    const option = getU32(bytes, at + 8);
    if (option !== this.#option) {
      this.#break(`a reply is to option ${option}, ${this.#option} was asked`);
      return;
    }
    this.#replyType = getU32(bytes, at + 12);
    const length = getU32(bytes, at + 16);
    this.#nrBytes += length;
    if (this.#nrBytes > MAX_ANSWER_BYTES || this.#before.length > MAX_REPLIES) {
      this.#break('an answer is endless');
      return;
    }
    this.take(length, (size) => new Uint8Array(size));
  }

  protected override onPayload(payload: Uint8Array): void {
    if (this.#option === OPTIONS.exportName) {
      this.halt();
      this.#answer({ final: this.#before[0]!, before: [] } satisfies OptionAnswer);
      return;
    }
    const reply = { type: this.#replyType, data: payload.slice() };
    if (reply.type !== REPLIES.ack && reply.type < ERROR_BIT) {
      this.#before.push(reply);
      return;
    }
    const changes = this.#option === OPTIONS.starttls || this.#option === OPTIONS.go;
    if (changes && reply.type === REPLIES.ack) this.halt();
    this.#answer({ final: reply, before: this.#before } satisfies OptionAnswer);
  }

  #break(text: string): void {
    this.fail(new ProtocolError(`Cannot negotiate: ${text}`));
  }
}
