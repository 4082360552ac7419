/** How a session bears bad manners: pieces, pressure, silence, departure; and how it ends. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { monotonicMs } from '../base/index.ts';
import {
  bytesOf,
  ModelExport,
  nbdContextData,
  nbdInfoData,
  nbdOption,
  nbdRequest,
  SessionProbe,
  type SessionProbeOptions,
} from '../testing/index.ts';
import { MemoryBudget } from './memory-budget.ts';
import { COMMAND_FLAGS, COMMANDS, OPTIONS } from './protocol.ts';
import { ServerSession } from './server-session.ts';

const SIZE = 1 << 19;
/** Of exports that many are made of. */
const SMALL = 1 << 16;
const C = COMMANDS;
const settled = () => new Promise(setImmediate);
const go = bytesOf([3, 4], nbdOption(OPTIONS.structuredReply), nbdOption(OPTIONS.go, nbdInfoData('disk')));

async function open(served = new ModelExport({ size: SIZE }), options: SessionProbeOptions = {}) {
  const probe = new SessionProbe({ disk: served }, options).receive(go);
  probe.take();
  await settled();
  return probe;
}

/** A whole conversation, of each kind of message. */
function conversation(extended: boolean): Uint8Array {
  const request = (fields: Parameters<typeof nbdRequest>[0]) => nbdRequest({ ...fields, extended });
  const payloadLen = extended ? COMMAND_FLAGS.payloadLen : 0;
  const payload = Uint8Array.from({ length: 700 }, (_, i) => i);
  return bytesOf(
    [3, 4],
    nbdOption(OPTIONS.list),
    nbdOption(extended ? OPTIONS.extendedHeaders : OPTIONS.structuredReply),
    nbdOption(77, new Uint8Array(9)),
    nbdOption(OPTIONS.setMetaContext, nbdContextData('disk', ['base:allocation', 'x-persistent-data:sharing'])),
    nbdOption(OPTIONS.info, nbdInfoData('disk', [3])),
    nbdOption(OPTIONS.go, nbdInfoData('disk', [1, 2])),
    request({ type: C.write, flags: payloadLen, cookie: 2, offset: 100, payload }),
    request({ type: C.write, flags: payloadLen, cookie: 3, offset: SMALL - 1, payload }),
    request({ type: C.read, cookie: 4, offset: 90, length: 1000 }),
    request({ type: C.blockStatus, cookie: 5, length: 20_000 }),
    request({ type: C.writeZeroes, cookie: 6, offset: 200, length: 100 }),
    request({ type: C.flush, cookie: 7 }),
    request({ type: C.read, cookie: 8, length: 40_000 }),
    request({ type: C.disc, cookie: 9 }),
  );
}

describe('pieces', () => {
  test.each([false, true])('cut at every byte, the answers are the same (extended: %s)', (extended) => {
    const bytes = conversation(extended);
    const whole = new SessionProbe({ disk: new ModelExport({ size: SMALL }) }).receive(bytes);
    const wanted = Buffer.from(whole.take());
    expect(whole.actions).toEqual(['end']);
    for (let cut = 1; cut < bytes.byteLength; cut += 1) {
      const probe = new SessionProbe({ disk: new ModelExport({ size: SMALL }) });
      probe.receive(bytes.slice(0, cut)).receive(bytes.slice(cut));
      expect(wanted.equals(probe.take()), `cut at ${cut}`).toBe(true);
      expect(probe.actions).toEqual(['end']);
    }
    for (const pieceBytes of [1, 2, 3, 7, 29]) {
      const probe = new SessionProbe({ disk: new ModelExport({ size: SMALL }) }).receive(bytes, pieceBytes);
      expect(wanted.equals(probe.take()), `pieces of ${pieceBytes}`).toBe(true);
    }
  });

  test('an export that waits changes nothing but the order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 20 }), async (cuts) => {
        const bytes = conversation(false);
        const wanted = new SessionProbe({ disk: new ModelExport({ size: SMALL }) }).receive(bytes).take();
        const served = new ModelExport({
          size: SMALL,
          before: ({ kind }) => (kind === 'write' ? undefined : Promise.resolve()),
        });
        const probe = new SessionProbe({ disk: served });
        for (let at = 0, i = 0; at < bytes.byteLength; i += 1) {
          const end = at + cuts[i % cuts.length]!;
          probe.receive(bytes.slice(at, end));
          at = end;
          if (i % 3 === 0) await settled();
        }
        await settled();
        // Without holes, as nobody knows them at once: 40 000 bytes where a hole and some pages were.
        expect(probe.take().byteLength).toBeGreaterThanOrEqual(wanted.byteLength);
        expect(probe.actions.at(-1)).toBe('end');
        expect(probe.session.nrInFlight).toBe(0);
      }),
      { numRuns: 30 },
    );
  });
});

describe('pressure', () => {
  test('a client that reads nothing is not read from, and holds little', async () => {
    const probe = await open();
    probe.hold();
    const reads = bytesOf(
      ...Array.from({ length: 400 }, (_, i) => nbdRequest({ type: C.read, cookie: i, length: 65536, flags: 4 })),
    );
    probe.receive(reads);
    expect(probe.actions).toEqual(['pause']);
    expect(probe.session.heldBytes).toBeLessThan(6 << 20);
    let nrBytes = probe.take().byteLength;
    for (let i = 0; i < 100 && !probe.actions.includes('resume'); i += 1) {
      probe.release();
      await settled();
      nrBytes += probe.take().byteLength;
    }
    expect(nrBytes).toBe(400 * (65536 + 28));
    await settled();
    expect(probe.session.heldBytes).toBe(0);
    expect(probe.actions).toEqual(['pause', 'resume']);
  });

  test('requests that wait are bounded, and answers let more in', async () => {
    const gates: (() => void)[] = [];
    const served = new ModelExport({ size: SIZE, before: () => new Promise<void>((open_) => gates.push(open_)) });
    const probe = await open(served, { limits: { maxInFlight: 3 } });
    probe.receive(
      bytesOf(...Array.from({ length: 10 }, (_, i) => nbdRequest({ type: C.read, cookie: i, length: 100 }))),
    );
    expect([gates.length, probe.session.nrInFlight, probe.actions]).toEqual([3, 3, ['pause']]);
    for (let i = 0; i < 10; i += 1) {
      gates[i]!();
      await settled();
      expect(probe.session.nrInFlight).toBe(Math.min(3, 9 - i));
    }
    expect(probe.take().byteLength).toBe(10 * 128);
    expect(probe.actions).toEqual(['pause', 'resume']);
  });

  test('one slow client leaves room for the others', async () => {
    const budget = new MemoryBudget({ limitBytes: 8 << 20, floorBytes: 128 << 10 });
    const big = () => new ModelExport({ size: 16 << 20 });
    const slow = [await open(big(), { budget }), await open(big(), { budget }), await open(big(), { budget })];
    for (const probe of slow) probe.hold();
    for (const probe of slow) {
      for (let i = 0; i < 8; i += 1) probe.receive(nbdRequest({ type: C.read, length: 1 << 20, flags: 4 }));
    }
    expect(budget.heldBytes).toBeLessThanOrEqual((8 << 20) + (8 << 10));
    const quick = await open(big(), { budget });
    for (let i = 0; i < 100; i += 1) {
      quick.receive(nbdRequest({ type: C.read, length: 65536, flags: 4 }));
      expect(quick.take().byteLength).toBe(65536 + 28);
      await settled();
    }
    // A long one has to wait until others give back.
    quick.receive(nbdRequest({ type: C.read, length: 2 << 20, flags: 4 }));
    expect(quick.actions).toEqual(['pause']);
    for (const probe of slow) probe.session.onGone();
    for (const probe of slow) probe.release();
    await settled();
    expect(quick.take().byteLength).toBe((2 << 20) + 28);
    await settled();
    expect(budget.heldBytes).toBe(0);
    expect(quick.actions).toEqual(['pause', 'resume']);
  });

  test('endless options to one that reads nothing are not answered for ever', () => {
    const served = new ModelExport({ size: SIZE, description: 'x'.repeat(4000) });
    const probe = new SessionProbe({ disk: served }, { holdsSent: true });
    probe.receive(bytesOf([3, 4], ...new Array(1000).fill(nbdOption(OPTIONS.list))));
    expect(probe.session.heldBytes).toBeLessThan(1.1 * 2 ** 20);
    expect(probe.actions).toEqual(['pause']);
  });
});

describe('departure', () => {
  test('in the middle of a payload, its memory comes back', async () => {
    const probe = await open();
    probe.receive(nbdRequest({ type: C.write, length: 1 << 19 })).receive(new Uint8Array(1000));
    expect(probe.session.heldBytes).toBe(1 << 19);
    probe.session.onGone();
    expect(probe.session.heldBytes).toBe(0);
    expect(probe.pool.keptBytes).toBeGreaterThanOrEqual(1 << 19);
    probe.receive(new Uint8Array(1 << 19));
    expect(probe.session.heldBytes).toBe(0);
  });

  test('with requests in flight, buffers come back only when the export is done with them', async () => {
    const gates: (() => void)[] = [];
    const served = new ModelExport({ size: SIZE, before: () => new Promise<void>((open_) => gates.push(open_)) });
    const probe = await open(served);
    probe.receive(nbdRequest({ type: C.read, length: 300_000 }));
    probe.receive(nbdRequest({ type: C.read, length: 4096 }));
    probe.receive(nbdRequest({ type: C.write, length: 400_000 })).receive(new Uint8Array(400_000), 65536);
    // The long read asks for holes first, in vain.
    expect(probe.session.nrInFlight).toBe(3);
    probe.session.onGone();
    expect(probe.session.heldBytes).toBeGreaterThanOrEqual(700_000);
    for (const gate of gates) gate();
    await settled();
    expect(probe.session.heldBytes).toBe(0);
    expect(probe.take().byteLength).toBe(0);
  });

  test('after a farewell what is in flight is finished first', async () => {
    const gates: (() => void)[] = [];
    const served = new ModelExport({ size: SIZE, before: () => new Promise<void>((open_) => gates.push(open_)) });
    const probe = await open(served);
    probe.receive(bytesOf(nbdRequest({ type: C.flush }), nbdRequest({ type: C.disc }), nbdRequest({ type: C.flush })));
    expect(probe.actions).toEqual([]);
    gates[0]!();
    await settled();
    expect(probe.actions).toEqual(['end']);
    expect(probe.take().byteLength).toBe(16);
    expect(served.calls.length).toBe(1);
  });
});

describe('silence', () => {
  const late = (ms: number) => monotonicMs() + ms;

  test('a negotiation has to end', () => {
    const probe = new SessionProbe({ disk: new ModelExport({ size: SIZE }) }).receive(
      bytesOf([3, 4], nbdOption(OPTIONS.list)),
    );
    probe.session.tick(late(9000));
    expect(probe.actions).toEqual([]);
    probe.session.tick(late(10_100));
    expect(probe.actions).toEqual(['destroy']);
  });

  test('a message has to end; between messages there is time without end', async () => {
    const probe = await open();
    probe.session.tick(late(1e9));
    expect(probe.actions).toEqual([]);
    probe.receive(nbdRequest({ type: C.read, length: 10 }).subarray(0, 27));
    probe.session.tick(late(59_000));
    expect(probe.actions).toEqual([]);
    probe.session.tick(late(61_000));
    expect(probe.actions).toEqual(['destroy']);
    expect(probe.events.at(-1)?.message).toContain('incomplete');
  });

  test('what was sent has to be taken', async () => {
    const probe = await open();
    probe.hold();
    probe.receive(nbdRequest({ type: C.read, length: 10 }));
    probe.session.tick(late(61_000));
    expect(probe.actions).toEqual(['destroy']);
  });

  test('a client that does not close after its farewell is cut off', async () => {
    const probe = (await open()).receive(nbdRequest({ type: C.disc }));
    probe.session.tick(late(1000));
    expect(probe.actions).toEqual(['end']);
    probe.session.tick(late(6000));
    expect(probe.actions).toEqual(['end', 'destroy']);
  });
});

test('`stop()`: what is in flight is finished, new requests fail, a farewell ends it', async () => {
  const gates: (() => void)[] = [];
  const served = new ModelExport({ size: SIZE, before: () => new Promise<void>((open_) => gates.push(open_)) });
  const probe = (await open(served)).receive(nbdRequest({ type: C.flush, cookie: 1 }));
  expect(probe.session).toBeInstanceOf(ServerSession);
  probe.session.stop();
  probe.receive(nbdRequest({ type: C.write, cookie: 2, payload: new Uint8Array(600) }), 100);
  expect(new DataView(probe.take().buffer).getUint32(20)).toBe(108);
  gates[0]!();
  await settled();
  expect(probe.take().byteLength).toBe(16);
  expect(probe.actions).toEqual([]);
  probe.receive(nbdRequest({ type: C.disc }));
  expect(probe.actions).toEqual(['end']);
  const young = new SessionProbe();
  young.session.stop();
  expect(young.actions).toEqual(['end']);
});

test('an export that can not tell its size costs one connection, and is logged', () => {
  const served = new ModelExport({ size: SIZE });
  const probe = new SessionProbe({ disk: served });
  Object.defineProperty(served, 'size', {
    get() {
      throw new Error('the metadata is gone');
    },
  });
  probe.receive(go);
  expect(probe.actions).toEqual(['destroy']);
  expect(probe.events.find(({ event }) => event === 'failed')?.message).toContain('the metadata is gone');
});
