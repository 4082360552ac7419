/**
 * Spoiled NBD conversations: a server's session and a client bear whatever the other side says. No sockets, so that thousands of
 * sessions take seconds. `npm run test:fuzz -- --runs N` for more than the smoke.
 */

import fc from 'fast-check';
import { PersistentDataError } from 'persistent-data/base';
import { MemoryBudget, NbdError } from 'persistent-data/nbd';
import { type ExportCall, ModelExport, Random, SessionProbe } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import { type ClientAgreement, negotiate } from '../../packages/persistent-data/src/nbd/client-negotiation.ts';
import { ClientOptions } from '../../packages/persistent-data/src/nbd/client-options.ts';
import { ClientTransmission } from '../../packages/persistent-data/src/nbd/client-transmission.ts';
import { replay, timeLimit } from '../replay.ts';
import { EXPORT_BYTES, randomConversation, spoil } from './nbd-bytes.ts';

const seeds = fc.integer({ min: 0, max: 0x7fffffff });
const settled = () => new Promise(setImmediate);

/** Sessions in a smoke; 20 000 took 13 s of one processor on the machine on which this was written. */
const NR_SESSIONS = 20_000;
/** What one session may hold: a limit on a budget of its own, and what a reply of the negotiation is over it. */
const BUDGET_BYTES = 256 << 10;
const SLACK_BYTES = 128 << 10;

/** An export that is quick, slow or failing, as chance has it. */
function moodyExport(random: Random): ModelExport {
  const mood = random.below(4);
  const before = (_call: ExportCall) => {
    if (mood === 0) return undefined;
    if (mood === 1 || random.chance(0.3)) return Promise.resolve();
    if (random.chance(0.2)) throw random.chance(0.5) ? new NbdError('ENOSPC', 'full') : new Error('broken');
    return random.chance(0.2) ? Promise.reject(new Error('broken later')) : undefined;
  };
  return new ModelExport({ size: EXPORT_BYTES, before, ...(random.chance(0.2) ? { readOnly: true } : {}) });
}

async function playServer(seed: number): Promise<void> {
  const random = new Random(seed);
  const budget = new MemoryBudget({ limitBytes: BUDGET_BYTES, floorBytes: 16 << 10 });
  const probe = new SessionProbe(
    { disk: moodyExport(random) },
    {
      budget,
      tls: random.chance(0.1) ? 'required' : 'none',
      holdsSent: random.chance(0.3),
      limits: { maxInFlight: 4 },
    },
    { isDefault: true },
  );
  const bytes = random.chance(0.1) ? randomConversation(random) : spoil(random, randomConversation(random));
  const waits = random.chance(0.3);
  for (let at = 0; at < bytes.byteLength; ) {
    const end = at + 1 + random.below(random.pick([3, 40, 3000, 70_000]));
    probe.receive(bytes.slice(at, end));
    at = end;
    if (waits && random.chance(0.2)) await settled();
    expect(budget.heldBytes).toBeLessThanOrEqual(BUDGET_BYTES + SLACK_BYTES);
    if (probe.actions.at(-1) === 'startTls') probe.session.onSecure();
    if (random.chance(0.05)) probe.release();
    if (random.chance(0.01)) probe.session.stop();
  }
  if (random.chance(0.5)) {
    probe.release();
    await settled();
  }
  probe.session.onGone();
  probe.release();
  // Requests in flight end, each after some turns; then everything has been given back.
  for (let i = 0; i < 50 && (probe.session.nrInFlight > 0 || budget.heldBytes > 0); i += 1) await settled();
  expect([probe.session.nrInFlight, budget.heldBytes, probe.metrics.inFlight]).toEqual([0, 0, 0]);
}

test(
  `${NR_SESSIONS} spoiled sessions of a server`,
  async () => {
    await fc.assert(fc.asyncProperty(seeds, playServer), {
      ...replay<[number]>('fuzz', NR_SESSIONS),
      endOnFailure: true,
    });
  },
  timeLimit(120_000),
);

/** What a client asks in each play; the same requests, so that recorded replies fit them. */
function askAll(transmission: ClientTransmission, into: Uint8Array): Promise<unknown>[] {
  const data = new Uint8Array(5000).fill(7);
  return [
    transmission.request({ type: 1, flags: 0, offset: 4096, length: 5000, data }),
    transmission.request({ type: 0, flags: 0, offset: 0, length: into.byteLength, into }),
    transmission.request({ type: 7, flags: 0, offset: 0, length: EXPORT_BYTES }),
    transmission.request({ type: 3, flags: 0, offset: 0, length: 0 }),
    transmission.request({ type: 0, flags: 0, offset: EXPORT_BYTES, length: 1, into: new Uint8Array(1) }),
  ];
}

/** A client without a socket. `answer` says what a server says. */
async function playClient(
  form: { structured: boolean; extended: boolean },
  answer: (said: Uint8Array | undefined) => Uint8Array,
) {
  let parser: ClientOptions | ClientTransmission;
  let rest: Uint8Array = new Uint8Array(0);
  const hear = (bytes: Uint8Array) => {
    const all = Buffer.concat([rest, bytes]);
    rest = all.subarray(parser.feed(all));
  };
  const send = (bytes: Uint8Array) => queueMicrotask(() => hear(answer(bytes)));
  const options = new ClientOptions(send);
  parser = options;
  hear(answer(undefined));
  const lost = new PersistentDataErrorOf('the server is gone');
  const wishes = { name: 'disk', contexts: ['base:allocation'], ...form };
  const negotiation = options.greet().then(() => negotiate(options, wishes));
  negotiation.catch(() => {});
  for (let i = 0; i < 12; i += 1) await Promise.resolve();
  await settled();
  options.fail(lost);
  let agreement: ClientAgreement;
  try {
    agreement = await negotiation;
  } catch (error) {
    return { error, into: undefined, results: [] };
  }
  const transmission = new ClientTransmission(agreement, send, () => {});
  parser = transmission;
  const into = new Uint8Array(40_000).fill(0xee);
  const all = askAll(transmission, into);
  for (const one of all) one.catch(() => {});
  hear(new Uint8Array(0));
  await settled();
  transmission.fail(lost);
  return { error: undefined, into, results: await Promise.allSettled(all) };
}

class PersistentDataErrorOf extends PersistentDataError {
  readonly code = 'TEST';
}

/** All that a server says to a client, in the order of the client's messages. */
async function record(form: { structured: boolean; extended: boolean }): Promise<Uint8Array[]> {
  const probe = new SessionProbe({ disk: new ModelExport({ size: EXPORT_BYTES }) });
  const answers: Uint8Array[] = [];
  const { error, into, results } = await playClient(form, (said) => {
    if (said !== undefined) probe.receive(said);
    const answer = probe.take();
    answers.push(answer);
    return answer;
  });
  expect(error).toBeUndefined();
  expect(results.slice(0, 4).map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    form.structured || form.extended ? 'fulfilled' : 'rejected',
    'fulfilled',
  ]);
  expect(results[4]).toMatchObject({ status: 'rejected', reason: { errno: 'EINVAL' } });
  const wanted = new Uint8Array(40_000).fill(7, 4096, 9096);
  expect(Buffer.compare(into!, wanted)).toBe(0);
  return answers;
}

test(
  'spoiled answers to a client: every request ends, with an error of ours if with any',
  async () => {
    const forms = [
      { structured: false, extended: false },
      { structured: true, extended: false },
      { structured: true, extended: true },
    ];
    const recorded = await Promise.all(forms.map(record));
    const play = async (seed: number) => {
      const random = new Random(seed);
      const which = random.below(forms.length);
      const answers = [...recorded[which]!];
      const isSpoiled = (i: number) => random.chance(i < 8 ? 0.15 : 0.3);
      let i = 0;
      const { error, results } = await playClient(forms[which]!, () => {
        const answer = answers[i] ?? new Uint8Array(0);
        i += 1;
        return isSpoiled(i) ? spoil(random, answer) : answer;
      });
      if (error !== undefined) expect(error).toBeInstanceOf(PersistentDataError);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(PersistentDataError);
      }
    };
    await fc.assert(fc.asyncProperty(seeds, play), { ...replay<[number]>('fuzz', 5000), endOnFailure: true });
  },
  timeLimit(120_000),
);
