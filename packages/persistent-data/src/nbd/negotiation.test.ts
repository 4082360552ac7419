/** The bytes of negotiations, against golden ones written by hand from the protocol. */

import { describe, expect, test } from 'vitest';
import {
  bytesOf,
  ModelExport,
  nbdContextData,
  nbdInfoData,
  nbdOption,
  nbdString,
  SessionProbe,
} from '../testing/index.ts';
import { Negotiation } from './negotiation.ts';
import { OPTIONS, REPLIES } from './protocol.ts';

const GREETING = bytesOf('NBDMAGIC', 'IHAVEOPT', [3, 2]);
const FLAGS = bytesOf([3, 4]);
const SIZE = 1 << 20;
/** HAS_FLAGS, FLUSH, FUA, TRIM, WRITE_ZEROES, MULTI_CONN, CACHE, FAST_ZERO; DF comes with structured replies. */
const TFLAGS = 0x0d6d;

/** A reply to an option. */
const reply = (option: number, type: number, data: Uint8Array | string = '') => {
  const bytes = bytesOf(data);
  return bytesOf([0x0003e889045565a9n, 8], [option, 4], [type, 4], [bytes.byteLength, 4], bytes);
};
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function begin(options: ConstructorParameters<typeof SessionProbe>[1] = {}, flags = FLAGS) {
  const served = new ModelExport({ size: SIZE, description: 'a model' });
  const probe = new SessionProbe({ disk: served }, options, { isDefault: true });
  expect(hex(probe.take())).toBe(hex(GREETING));
  probe.receive(flags);
  return { probe, served };
}

/** What it says to an option. */
function ask(probe: SessionProbe, option: number, data?: Uint8Array): Uint8Array {
  probe.receive(nbdOption(option, data));
  return probe.take();
}

/** Type and text of the single reply to an option. */
function refusal(probe: SessionProbe, option: number, data?: Uint8Array): [type: number, text: string] {
  const said = ask(probe, option, data);
  const view = new DataView(said.buffer);
  expect(view.getUint32(8)).toBe(option);
  expect(view.getUint32(16)).toBe(said.byteLength - 20);
  return [view.getUint32(12), new TextDecoder().decode(said.subarray(20))];
}

const exportInfo = (tflags: number) => bytesOf([0, 2], [SIZE, 8], [tflags, 2]);

describe('golden bytes', () => {
  test('the greeting is the one of the protocol', () => {
    expect(hex(GREETING)).toBe('4e42444d4147494349484156454f50540003');
  });

  test('INFO and GO: size, and what was asked for; then ACK', () => {
    const { probe } = begin();
    const blockSize = bytesOf([3, 2], [1, 4], [4096, 4], [32 << 20, 4]);
    const wanted = (option: number) =>
      bytesOf(
        reply(option, REPLIES.info, exportInfo(TFLAGS)),
        reply(option, REPLIES.info, bytesOf([1, 2], 'disk')),
        reply(option, REPLIES.info, bytesOf([2, 2], 'a model')),
        reply(option, REPLIES.info, blockSize),
        reply(option, REPLIES.ack),
      );
    // Information that nobody knows is asked for, too.
    expect(hex(ask(probe, OPTIONS.info, nbdInfoData('', [3, 1, 2, 77])))).toBe(hex(wanted(6)));
    expect(hex(ask(probe, OPTIONS.go, nbdInfoData('', [3, 1, 2, 77])))).toBe(hex(wanted(7)));
    expect(probe.session.entry?.name).toBe('disk');
  });

  test('EXPORT_NAME: with NO_ZEROES 10 bytes, without 134, and no head', () => {
    const { probe } = begin();
    expect(hex(ask(probe, OPTIONS.exportName, bytesOf('disk')))).toBe(hex(bytesOf([SIZE, 8], [TFLAGS, 2])));
    const old = begin({}, bytesOf([1, 4])).probe;
    expect(hex(ask(old, OPTIONS.exportName, bytesOf('disk')))).toBe(
      hex(bytesOf([SIZE, 8], [TFLAGS, 2], new Uint8Array(124))),
    );
  });

  test('LIST: names with descriptions, hidden ones not', () => {
    const { probe } = begin();
    probe.exports.add('secret', new ModelExport({ size: 4096 }), { hidden: true });
    probe.exports.add('b', new ModelExport({ size: 4096 }));
    expect(hex(ask(probe, OPTIONS.list))).toBe(
      hex(
        bytesOf(
          reply(3, REPLIES.server, bytesOf(nbdString('disk'), 'a model')),
          reply(3, REPLIES.server, nbdString('b')),
          reply(3, REPLIES.ack),
        ),
      ),
    );
  });

  test('ABORT: ACK, and the link is ended', () => {
    const { probe } = begin();
    expect(hex(ask(probe, OPTIONS.abort))).toBe(hex(reply(2, REPLIES.ack)));
    expect(probe.actions).toEqual(['end']);
  });

  test('STRUCTURED_REPLY brings DF, EXTENDED_HEADERS the payload of block status', () => {
    const { probe } = begin();
    expect(hex(ask(probe, OPTIONS.structuredReply))).toBe(hex(reply(8, REPLIES.ack)));
    expect(hex(ask(probe, OPTIONS.info, nbdInfoData('disk')))).toBe(
      hex(bytesOf(reply(6, REPLIES.info, exportInfo(TFLAGS | 0x80)), reply(6, REPLIES.ack))),
    );
    expect(hex(ask(probe, OPTIONS.extendedHeaders))).toBe(hex(reply(11, REPLIES.ack)));
    expect(refusal(probe, OPTIONS.structuredReply)[0]).toBe(REPLIES.errExtHeaderReqd);
    expect(refusal(probe, OPTIONS.extendedHeaders)[0]).toBe(REPLIES.errInvalid);
    expect(hex(ask(probe, OPTIONS.info, nbdInfoData('disk')))).toBe(
      hex(bytesOf(reply(6, REPLIES.info, exportInfo(TFLAGS | 0x1080)), reply(6, REPLIES.ack))),
    );
    ask(probe, OPTIONS.exportName, bytesOf('disk'));
    expect(probe.actions).toEqual(['destroy']);
  });

  test('metadata contexts: listed by prefix, selected by name only', () => {
    const { probe } = begin();
    ask(probe, OPTIONS.structuredReply);
    const list = (queries: string[]) => ask(probe, OPTIONS.listMetaContext, nbdContextData('disk', queries));
    const context = (option: number, id: number, name: string) =>
      reply(option, REPLIES.metaContext, bytesOf([id, 4], name));
    const [base, depth, sharing, dirty] = [
      'base:allocation',
      'qemu:allocation-depth',
      'x-persistent-data:sharing',
      'qemu:dirty-bitmap:changes',
    ];
    const ack = reply(9, REPLIES.ack);
    expect(hex(list([]))).toBe(
      hex(bytesOf(...[base, depth, sharing, dirty].map((name, id) => context(9, id, name)), ack)),
    );
    expect(hex(list(['qemu:']))).toBe(hex(bytesOf(context(9, 0, depth), context(9, 1, dirty), ack)));
    expect(hex(list(['qemu:dirty-bitmap:']))).toBe(hex(bytesOf(context(9, 0, dirty), ack)));
    expect(hex(list(['foo:', 'bas']))).toBe(hex(ack));
    const set = (queries: string[]) => ask(probe, OPTIONS.setMetaContext, nbdContextData('disk', queries));
    expect(hex(set(['base:', 'nonsense']))).toBe(hex(reply(10, REPLIES.ack)));
    expect(hex(set([dirty, base, base]))).toBe(
      hex(bytesOf(context(10, 0, base), context(10, 1, dirty), reply(10, REPLIES.ack))),
    );
  });
});

describe('what is refused', () => {
  test('an unknown option is refused when its data is consumed', () => {
    const { probe } = begin();
    expect(refusal(probe, 99, new Uint8Array(5000))[0]).toBe(REPLIES.errUnsup);
    expect(refusal(probe, 4)[0]).toBe(REPLIES.errUnsup);
    expect(refusal(probe, OPTIONS.starttls)[0]).toBe(REPLIES.errPolicy);
  });

  test('metadata contexts before structured replies', () => {
    const { probe } = begin();
    expect(refusal(probe, OPTIONS.setMetaContext, nbdContextData('disk', []))[0]).toBe(REPLIES.errInvalid);
  });

  test.each([
    ['no data', OPTIONS.go, new Uint8Array(0)],
    ['5 bytes', OPTIONS.info, new Uint8Array(5)],
    ['a name length of 2^32 - 1', OPTIONS.go, bytesOf([0xffffffff, 4], 'disk', [0, 2])],
    ['a name length one too large', OPTIONS.info, bytesOf([5, 4], 'disk', [0, 2])],
    ['more informations than there are', OPTIONS.go, bytesOf([4, 4], 'disk', [65535, 2], [1, 2])],
    ['bytes left over', OPTIONS.go, bytesOf([4, 4], 'disk', [0, 2], 'x')],
    ['NUL in a name', OPTIONS.go, nbdInfoData('di\0sk')],
    ['a name that is no UTF-8', OPTIONS.go, bytesOf([2, 4], Uint8Array.of(0xc0, 0xaf), [0, 2])],
    ['a name of 4097 bytes', OPTIONS.go, nbdInfoData('x'.repeat(4097))],
    ['data for LIST', OPTIONS.list, new Uint8Array(1)],
    ['data for STRUCTURED_REPLY', OPTIONS.structuredReply, new Uint8Array(1)],
    ['data for EXTENDED_HEADERS', OPTIONS.extendedHeaders, new Uint8Array(1)],
    ['a query count that can not be', OPTIONS.listMetaContext, bytesOf(nbdString('disk'), [0xffffffff, 4])],
    ['a query length beyond the data', OPTIONS.listMetaContext, bytesOf(nbdString('disk'), [1, 4], [9, 4], 'x')],
    ['bytes after the queries', OPTIONS.listMetaContext, bytesOf(nbdString('disk'), [0, 4], 'x')],
    ['a query of 4097 bytes', OPTIONS.listMetaContext, nbdContextData('disk', ['q'.repeat(4097)])],
  ])('%s is invalid, and the negotiation goes on', (_what, option, data) => {
    const { probe } = begin();
    expect(refusal(probe, option, data)[0]).toBe(REPLIES.errInvalid);
    ask(probe, OPTIONS.go, nbdInfoData('disk'));
    expect(probe.session.entry?.name).toBe('disk');
  });

  test('too many queries, and too much data, are too big', () => {
    const { probe } = begin();
    ask(probe, OPTIONS.structuredReply);
    const many = nbdContextData('disk', new Array(65).fill('a:b'));
    expect(refusal(probe, OPTIONS.setMetaContext, many)[0]).toBe(REPLIES.errTooBig);
    expect(refusal(probe, OPTIONS.go, new Uint8Array(70_000))[0]).toBe(REPLIES.errTooBig);
    expect(probe.isClosed).toBe(false);
  });

  test('an unknown export; its name in the message is cut', () => {
    const { probe } = begin();
    const [type, text] = refusal(probe, OPTIONS.go, nbdInfoData('x'.repeat(4096)));
    expect(type).toBe(REPLIES.errUnknown);
    expect(text.length).toBe(4096);
    expect(refusal(probe, OPTIONS.info, nbdInfoData('DISK'))[0]).toBe(REPLIES.errUnknown);
  });

  test.each([
    ['unknown client flags', bytesOf([7, 4])],
    ['client flags without fixed newstyle', bytesOf([2, 4])],
    ['an option with another magic', bytesOf([3, 4], 'IHAVEOPX', [1, 4], [0, 4])],
    ['an option with 2^32 - 1 bytes of data', bytesOf([3, 4], 'IHAVEOPT', [7, 4], [0xffffffff, 4])],
    ['EXPORT_NAME with 65537 bytes', bytesOf([3, 4], 'IHAVEOPT', [1, 4], [65537, 4])],
    ['EXPORT_NAME of an unknown export', bytesOf([3, 4], nbdOption(1, bytesOf('nothing')))],
    ['EXPORT_NAME with NUL', bytesOf([3, 4], nbdOption(1, bytesOf('di\0')))],
  ])('%s: the connection is cut', (_what, bytes) => {
    const probe = new SessionProbe({ disk: new ModelExport({ size: SIZE }) });
    probe.receive(bytes);
    expect(probe.actions).toEqual(['destroy']);
    expect(probe.metrics.connections.dropped).toBe(1);
    expect(probe.events.at(-1)).toMatchObject({ event: 'dropped', level: 'warning' });
  });
});

describe('TLS', () => {
  test('everything but STARTTLS and ABORT is refused before it', () => {
    const { probe } = begin({ tls: 'required' });
    for (const option of [OPTIONS.list, OPTIONS.go, OPTIONS.info, OPTIONS.structuredReply, 99]) {
      expect(refusal(probe, option)[0]).toBe(REPLIES.errTlsReqd);
    }
    ask(probe, OPTIONS.abort);
    expect(probe.actions).toEqual(['end']);
    const old = begin({ tls: 'required' }).probe;
    ask(old, OPTIONS.exportName, bytesOf('disk'));
    expect(old.actions).toEqual(['destroy']);
  });

  test('what came with STARTTLS is dropped, and nothing of before is remembered', () => {
    const { probe } = begin({ tls: 'required' });
    const injected = bytesOf(nbdOption(OPTIONS.structuredReply), nbdOption(OPTIONS.go, nbdInfoData('disk')));
    probe.receive(bytesOf(nbdOption(OPTIONS.starttls), injected));
    probe.receive(injected);
    expect(hex(probe.take())).toBe(hex(reply(5, REPLIES.ack)));
    expect(probe.actions).toEqual(['startTls']);
    probe.session.onSecure();
    // No second greeting.
    expect(probe.take().byteLength).toBe(0);
    expect(refusal(probe, OPTIONS.starttls)[0]).toBe(REPLIES.errInvalid);
    expect(refusal(probe, OPTIONS.setMetaContext, nbdContextData('disk', []))[0]).toBe(REPLIES.errInvalid);
    ask(probe, OPTIONS.go, nbdInfoData('disk'));
    expect(probe.session.entry?.name).toBe('disk');
  });

  test('part of an option before STARTTLS is not glued to what comes after it', () => {
    const { probe } = begin({ tls: 'required' });
    probe.receive(bytesOf(nbdOption(OPTIONS.starttls), 'IHAVE'));
    probe.session.onSecure();
    probe.take();
    expect(hex(ask(probe, OPTIONS.list).subarray(0, 8))).toBe('0003e889045565a9');
  });
});

test('a server that is being closed refuses, and lets go', () => {
  let stopping = false;
  const said: Uint8Array[] = [];
  const outcomes: string[] = [];
  const negotiation = new Negotiation({
    exports: new SessionProbe().exports,
    tls: 'none',
    clientFlags: 3,
    isStopping: () => stopping,
    isCongested: () => false,
    send: (bytes) => said.push(bytes),
    onOutcome: ({ kind }) => outcomes.push(kind),
  });
  stopping = true;
  negotiation.feed(bytesOf(nbdOption(OPTIONS.list), nbdOption(OPTIONS.abort)));
  expect(said.map((bytes) => new DataView(bytes.buffer).getUint32(12))).toEqual([REPLIES.errShutdown, REPLIES.ack]);
  expect(outcomes).toEqual(['aborted']);
});
