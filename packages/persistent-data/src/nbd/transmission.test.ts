/** Requests and replies, against golden bytes; what is refused, and with which error. */

import { describe, expect, test } from 'vitest';
import {
  type BytesPart,
  bytesOf,
  ModelExport,
  type ModelExportOptions,
  type NbdRequestFields,
  nbdContextData,
  nbdInfoData,
  nbdOption,
  nbdRequest,
  SessionProbe,
  type SessionProbeOptions,
} from '../testing/index.ts';
import { NbdError } from './nbd-error.ts';
import { COMMAND_FLAGS, COMMANDS, ERRORS, OPTIONS } from './protocol.ts';
import { dataHeadSize } from './reply-head.ts';
import { checkRequest, newTarget } from './request-check.ts';

const SIZE = 1 << 20;
const C = COMMANDS;
const F = COMMAND_FLAGS;
type Form = 'simple' | 'structured' | 'extended';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const filled = (length: number, value: number) => new Uint8Array(length).fill(value);

/** A session that has just begun its transmission. */
function open(
  form: Form,
  model: Partial<ModelExportOptions> = {},
  options: SessionProbeOptions = {},
  contexts: string[] = [],
) {
  const served = new ModelExport({ size: SIZE, ...model });
  const probe = new SessionProbe({ disk: served }, options);
  const agree: Record<Form, Uint8Array[]> = {
    simple: [],
    structured: [nbdOption(OPTIONS.structuredReply)],
    extended: [nbdOption(OPTIONS.extendedHeaders)],
  };
  if (contexts.length > 0) agree[form].push(nbdOption(OPTIONS.setMetaContext, nbdContextData('disk', contexts)));
  probe.receive(bytesOf([3, 4], ...agree[form], nbdOption(OPTIONS.go, nbdInfoData('disk'))));
  probe.take();
  const ask = (fields: NbdRequestFields) => {
    probe.receive(nbdRequest({ ...fields, extended: form === 'extended' }));
    return probe.take();
  };
  return { served, probe, ask };
}

const simple = (error: number, cookie = 1) => bytesOf([0x67446698, 4], [error, 4], [cookie, 8]);
const chunk = (type: number, done: 0 | 1, ...body: BytesPart[]) => {
  const bytes = bytesOf(...body);
  return bytesOf([0x668e33ef, 4], [done, 2], [type, 2], [1, 8], [bytes.byteLength, 4], bytes);
};
const extendedChunk = (type: number, done: 0 | 1, offset: number, ...body: BytesPart[]) => {
  const bytes = bytesOf(...body);
  return bytesOf([0x6e8a278c, 4], [done, 2], [type, 2], [1, 8], [offset, 8], [bytes.byteLength, 8], bytes);
};

/** The error in the single reply. */
function errorOf(form: Form, said: Uint8Array): string {
  const view = new DataView(said.buffer);
  const errno =
    form === 'simple' || view.getUint32(0) === 0x67446698
      ? view.getUint32(4)
      : view.getUint16(6) === 0x8001
        ? view.getUint32(form === 'extended' ? 32 : 20)
        : 0;
  return errno === 0 ? 'none' : Object.entries(ERRORS).find(([, number]) => number === errno)![0];
}

describe('golden bytes', () => {
  test('simple replies', () => {
    const { ask, served } = open('simple');
    const cookie = 0xfedcba9876543210n;
    const said = ask({ type: C.write, cookie, offset: 10, payload: filled(3, 7) });
    expect(hex(said)).toBe('6744669800000000fedcba9876543210');
    expect(hex(ask({ type: C.read, offset: 9, length: 5 }))).toBe(
      hex(bytesOf(simple(0), Uint8Array.of(0, 7, 7, 7, 0))),
    );
    expect(hex(ask({ type: C.flush }))).toBe(hex(simple(0)));
    expect(hex(ask({ type: C.read, offset: SIZE, length: 1 }))).toBe(hex(simple(22)));
    expect(served.calls.map(({ kind }) => kind)).toEqual(['write', 'read', 'flush']);
  });

  test('structured replies: data, a hole, an error, nothing', () => {
    const { ask } = open('structured', { unitBytes: 65536 });
    ask({ type: C.write, offset: 65536, payload: filled(65536, 9) });
    expect(hex(ask({ type: C.read, offset: 65536, length: 2 }))).toBe(hex(chunk(1, 1, [65536, 8], '\x09\x09')));
    expect(hex(ask({ type: C.read, offset: 65000, length: 65536 }))).toBe(
      hex(bytesOf(chunk(2, 0, [65000, 8], [536, 4]), chunk(1, 1, [65536, 8], filled(65000, 9)))),
    );
    expect(hex(ask({ type: C.read, offset: 131072, length: 65536 }))).toBe(hex(chunk(2, 1, [131072, 8], [65536, 4])));
    expect(hex(ask({ type: C.read, offset: 0, length: 65536, flags: F.df }))).toBe(
      hex(chunk(1, 1, [0, 8], filled(65536, 0))),
    );
    expect(hex(ask({ type: C.read, offset: 5, length: 0 }))).toBe(hex(chunk(0, 1)));
    expect(hex(ask({ type: C.trim, offset: 0, length: 4096 }))).toBe(hex(simple(0)));
    const text = `offset ${SIZE} and length 1 exceed the size ${SIZE}`;
    expect(hex(ask({ type: C.read, offset: SIZE, length: 1 }))).toBe(
      hex(chunk(0x8001, 1, [22, 4], [text.length, 2], text)),
    );
  });

  test("extended replies: 32 bytes of head with the request's offset, 64-bit lengths", () => {
    const { ask } = open('extended', {}, {}, ['base:allocation']);
    const payload = filled(4096, 5);
    expect(hex(ask({ type: C.write, flags: F.payloadLen, offset: 4096, payload }))).toBe(
      hex(extendedChunk(0, 1, 4096)),
    );
    expect(hex(ask({ type: C.read, offset: 4096, length: 3 }))).toBe(
      hex(extendedChunk(1, 1, 4096, [4096, 8], filled(3, 5))),
    );
    const status = extendedChunk(
      6,
      1,
      0,
      [0, 4],
      [3, 4],
      [4096, 8],
      [3, 8],
      [4096, 8],
      [0, 8],
      [SIZE - 8192, 8],
      [3, 8],
    );
    expect(hex(ask({ type: C.blockStatus, length: SIZE }))).toBe(hex(status));
  });

  test('block status: a chunk for each context, one extent when only one is wanted', () => {
    const { ask } = open('structured', {}, {}, ['qemu:dirty-bitmap:changes', 'base:allocation']);
    ask({ type: C.write, offset: 4096, payload: filled(4096, 5) });
    expect(hex(ask({ type: C.blockStatus, offset: 4000, length: 5000 }))).toBe(
      hex(
        bytesOf(
          chunk(5, 0, [0, 4], [96, 4], [3, 4], [4096, 4], [0, 4], [808, 4], [3, 4]),
          chunk(5, 1, [1, 4], [96, 4], [0, 4], [4096, 4], [1, 4], [808, 4], [0, 4]),
        ),
      ),
    );
    expect(hex(ask({ type: C.blockStatus, flags: F.reqOne, offset: 8192, length: 100_000 }))).toBe(
      hex(bytesOf(chunk(5, 0, [0, 4], [100_000, 4], [3, 4]), chunk(5, 1, [1, 4], [100_000, 4], [0, 4]))),
    );
  });

  test('a filter chooses contexts by id', () => {
    const { ask } = open('extended', {}, {}, ['base:allocation', 'qemu:allocation-depth', 'x-persistent-data:sharing']);
    const filter = (length: number, ...ids: number[]) => bytesOf([length, 8], ...ids.map((id) => [id, 4] as const));
    const status = (payload: Uint8Array) => ask({ type: C.blockStatus, flags: F.payloadLen, offset: 512, payload });
    expect(hex(status(filter(1000, 2, 0)))).toBe(
      hex(
        bytesOf(
          extendedChunk(6, 0, 512, [2, 4], [1, 4], [1000, 8], [0, 8]),
          extendedChunk(6, 1, 512, [0, 4], [1, 4], [1000, 8], [3, 8]),
        ),
      ),
    );
    for (const bad of [
      filter(1000),
      filter(1000, 3),
      filter(1000, 1, 1),
      filter(SIZE, 1),
      new Uint8Array(13),
      new Uint8Array(400),
    ]) {
      expect(errorOf('extended', status(bad))).toBe('EINVAL');
    }
  });
});

describe('refusals', () => {
  const forms: Form[] = ['simple', 'structured', 'extended'];
  const write = (form: Form, fields: Partial<NbdRequestFields>): NbdRequestFields => ({
    type: C.write,
    flags: form === 'extended' ? F.payloadLen : 0,
    ...fields,
  });

  test.each(forms)('%s: each with its error, and the session goes on', (form) => {
    const { ask, probe } = open(form, { blockSize: { min: 512, preferred: 4096, max: 8192 } });
    const cases: [wanted: string, fields: NbdRequestFields][] = [
      ['EINVAL', { type: C.read, offset: SIZE, length: 512 }],
      ['EINVAL', { type: C.read, offset: 2n ** 64n - 512n, length: 1024 }],
      ['EINVAL', { type: C.trim, offset: SIZE - 512, length: 1024 }],
      ['EINVAL', { type: C.cache, offset: SIZE, length: 512 }],
      ['EINVAL', { type: C.blockStatus, length: 512 }],
      ['ENOSPC', { type: C.writeZeroes, offset: SIZE - 512, length: 1024 }],
      ['ENOSPC', write(form, { offset: SIZE - 512, payload: new Uint8Array(1024) })],
      ['EINVAL', { type: C.read, offset: 1, length: 512 }],
      ['EINVAL', { type: C.read, offset: 0, length: 513 }],
      [form === 'extended' ? 'EOVERFLOW' : 'EINVAL', { type: C.read, length: 8704 }],
      ['EINVAL', write(form, { payload: new Uint8Array(8704) })],
      ['EINVAL', { type: C.flush, length: 512 }],
      ['EINVAL', { type: C.flush, flags: F.df }],
      ['EINVAL', { type: C.trim, flags: F.noHole, length: 512 }],
      ['EINVAL', { type: C.cache, flags: F.reqOne, length: 512 }],
      ['EINVAL', { type: C.read, flags: 0x8000, length: 512 }],
      ['EINVAL', { type: 8, length: 512 }],
      ['EINVAL', { type: 0xffff }],
      ['ENOTSUP', { type: C.writeZeroes, flags: F.fastZero | F.noHole, length: 512 }],
      ['none', { type: C.read, flags: F.fua, length: 512 }],
      ['none', { type: C.writeZeroes, flags: F.fastZero | F.fua, length: SIZE }],
      ['none', write(form, { payload: new Uint8Array(0) })],
    ];
    for (const [wanted, fields] of cases) {
      const said = ask(fields);
      if (wanted !== 'none' || fields.type !== C.read) expect([fields, errorOf(form, said)]).toEqual([fields, wanted]);
    }
    if (form === 'simple') expect(errorOf(form, ask({ type: C.read, flags: F.df, length: 512 }))).toBe('EINVAL');
    expect(probe.isClosed).toBe(false);
    expect(probe.metrics.errors.ENOSPC).toBe(2);
    expect(probe.session.heldBytes).toBeGreaterThanOrEqual(0);
  });

  test.each(forms)('%s: nothing changes a read-only export', (form) => {
    const { ask, served } = open(form, { readOnly: true });
    for (const type of [C.trim, C.writeZeroes]) expect(errorOf(form, ask({ type, length: 512 }))).toBe('EPERM');
    expect(errorOf(form, ask(write(form, { payload: new Uint8Array(512) })))).toBe('EPERM');
    expect(served.calls).toEqual([]);
  });

  test('extended: a write without its flag has no payload; a payload that is not wanted is consumed', () => {
    const { ask } = open('extended');
    expect(errorOf('extended', ask({ type: C.write, length: 512 }))).toBe('EINVAL');
    const payload = new Uint8Array(700);
    for (const type of [C.read, C.flush, C.trim, 99]) {
      expect(errorOf('extended', ask({ type, flags: F.payloadLen, payload }))).toBe('EINVAL');
    }
    expect(errorOf('extended', ask({ type: C.flush }))).toBe('none');
  });

  test.each([
    ['another magic', bytesOf([0x25609514, 4], new Uint8Array(24))],
    ['a payload over 32 MiB', nbdRequest({ type: C.write, length: (32 << 20) + 1 })],
  ])('%s: the connection is cut', async (_what, bytes) => {
    const { probe } = open('simple');
    await new Promise(setImmediate);
    probe.receive(bytes);
    expect(probe.actions).toEqual(['destroy']);
  });

  test('what an export throws, and rejects with, is the error, and its text is told', async () => {
    for (const wait of [false, true]) {
      const error = new NbdError('ENOSPC', `full ${'x'.repeat(5000)}`);
      const before = () => {
        if (wait) return Promise.reject(error);
        throw error;
      };
      const { ask, probe } = open('structured', { before });
      for (const fields of [
        { type: C.read, length: 512 },
        { type: C.read, length: 100_000 },
        { type: C.write, payload: filled(512, 1) },
        { type: C.flush },
      ]) {
        let said = ask(fields);
        if (wait) {
          expect(said.byteLength).toBe(0);
          await new Promise(setImmediate);
          said = probe.take();
        }
        expect(errorOf('structured', said)).toBe('ENOSPC');
        expect(said.byteLength).toBe(20 + 6 + 1024);
      }
      expect(probe.session.nrInFlight).toBe(0);
      await new Promise(setImmediate);
      expect(probe.session.heldBytes).toBe(0);
    }
  });
});

test('FUA: the answer follows the flush, which follows the change', async () => {
  const gates: (() => void)[] = [];
  const { ask, probe, served } = open('simple', { before: () => new Promise<void>((open_) => gates.push(open_)) });
  ask({ type: C.write, flags: F.fua, payload: filled(512, 1) });
  ask({ type: C.trim, cookie: 2, length: 512 });
  await new Promise(setImmediate);
  expect(served.calls.map(({ kind }) => kind)).toEqual(['write', 'trim']);
  gates[0]!();
  await new Promise(setImmediate);
  expect(served.calls.map(({ kind }) => kind)).toEqual(['write', 'trim', 'flush']);
  expect(probe.take().byteLength).toBe(0);
  gates[1]!();
  await new Promise(setImmediate);
  expect(hex(probe.take())).toBe(hex(simple(0, 2)));
  gates[2]!();
  await new Promise(setImmediate);
  expect(hex(probe.take())).toBe(hex(simple(0, 1)));
});

test('a request that waits for nothing but its flush keeps no memory', async () => {
  for (const waiting of ['write', 'flush'] as const) {
    let open_ = (): void => undefined;
    const before = ({ kind }: { readonly kind: string }) =>
      kind === waiting ? new Promise<void>((done) => (open_ = done)) : undefined;
    const { probe, served } = open('simple', { before });
    await new Promise(setImmediate);
    const idle = probe.session.heldBytes;
    const message = nbdRequest({ type: C.write, flags: F.fua, payload: filled(512, 1), extended: false });
    expect(probe.session.receive(message)).toBe(waiting === 'write');
    expect(probe.session.heldBytes - idle).toBe(waiting === 'write' ? 512 : 0);
    // In pieces, so that the payload is put together in a buffer of the pool.
    probe.receive(
      nbdRequest({ type: C.write, cookie: 2, flags: F.fua, payload: filled(512, 2), extended: false }),
      100,
    );
    expect(probe.session.heldBytes - idle).toBe(waiting === 'write' ? 1024 : 0);
    expect(probe.pool.keptBytes > 0).toBe(waiting === 'flush');
    expect(served.calls.map(({ kind }) => kind)).toEqual(
      waiting === 'write' ? ['write', 'write'] : ['write', 'flush', 'write', 'flush'],
    );
    open_();
    await new Promise(setImmediate);
    expect(hex(probe.take())).toBe(hex(simple(0, 2)));
  }
});

test('a read asks for holes only where that pays, and goes on when nobody knows', () => {
  const served = new ModelExport({ size: SIZE });
  const target = newTarget(served, { structured: true, extended: false }, []);
  const request = { type: C.read, flags: 0, cookieHigh: 0, cookieLow: 1, offset: 0, length: 4096, sinceMs: 0 };
  expect(checkRequest(request, target)).toBeUndefined();
  expect(dataHeadSize(target.form)).toBe(28);
  const { ask, served: model } = open('structured', {
    before: ({ kind }) => {
      if (kind === 'blockStatus') throw new Error('unknown');
    },
  });
  ask({ type: C.read, length: 4096 });
  ask({ type: C.read, length: 65536 });
  expect(model.calls.map(({ kind }) => kind)).toEqual(['read', 'blockStatus', 'read']);
});

test('two contexts that fail at once, one now and one later', async () => {
  // What happened: a session of the fuzzer left a rejection unheard, which ends a process. Why: the second context threw while
  // the first one's promise was not watched yet. Now a context's failure is always a rejection, and all are watched together.
  let nrCalls = 0;
  const before = () => {
    nrCalls += 1;
    if (nrCalls % 2 === 1) return Promise.reject(new Error('later'));
    throw new Error('now');
  };
  const { ask, probe } = open('structured', { before }, {}, ['base:allocation', 'qemu:allocation-depth']);
  ask({ type: C.blockStatus, length: 4096 });
  await new Promise(setImmediate);
  expect(errorOf('structured', probe.take())).toBe('EIO');
});
