/**
 * A disk that lies: a write that is lost or lands elsewhere, a read that gives what was there before. See docs/crash-model.md, "A disk that lies", for what
 * may come of it.
 */

import { isFatal, PersistentDataError } from 'persistent-data/base';
import { type BlockDevice, MemoryDevice } from 'persistent-data/io';
import { Store } from 'persistent-data/store';
import {
  auditThin,
  describePool,
  ExpectationError,
  type Fault,
  FaultDevice,
  type Random,
  randomThinScript,
  ThinPlayer,
} from 'persistent-data/testing';
import { checkThin } from 'persistent-data/thin';
import { type Campaign, Failure, type Run, textOf } from './campaign.ts';
import { describeStore } from './store-contents.ts';
import { StorePlayer } from './store-player.ts';
import { randomStoreScript } from './store-script.ts';
import { emptyPool, playerOptions } from './thin-pool.ts';
import { Witness } from './witness.ts';

/** What plays a script, and can look at the disk that this leaves. */
export interface Subject {
  blank(): MemoryDevice;
  /** Plays all of the script. `states`: what was ever committed, or was about to be; filled while it plays. */
  play(device: BlockDevice, noteStates: (states: () => readonly string[]) => void): Promise<void>;
  /** What the disk holds; `undefined` when the check has found something. */
  look(device: BlockDevice): string | undefined;
}

/** How a lie ended. `unseen`: nobody could have told. */
type Outcome = 'harmless' | 'refused' | 'found' | 'older' | 'unseen';

interface Verdict {
  readonly outcome?: Outcome;
  readonly problem?: string;
}

const isTyped = (error: unknown): boolean => error instanceof PersistentDataError;

/** Steps that look at the disk anew are left out: what they find is judged at the end, where all states are known. */
const isLive = (step: readonly unknown[]): boolean => step[0] !== 'reopen' && step[0] !== 'crash';

/** A random script on thin metadata. */
function thinSubject(random: Random): Subject & { readonly script: unknown } {
  const sizes = { metadata: random.pick([64, 128]), data: 500 };
  const script = randomThinScript(random, {
    nrSteps: random.between(5, 60),
    maxWrite: 150,
    nrVirtualBlocks: 3000,
    weights: { commit: 14 },
  }).filter(isLive);
  const options = { ...playerOptions(sizes.metadata, sizes.data, random), cacheBlocks: 32 };
  return {
    script,
    blank: () => emptyPool(sizes.metadata, sizes.data),
    async play(device, noteStates) {
      const player = ThinPlayer.open(device, options);
      noteStates(() => player.states);
      try {
        await player.playAll(script);
      } finally {
        await player.settle().catch(() => undefined);
      }
    },
    look(device) {
      for (const finding of checkThin(device)) if (isFatal(finding) || finding.severity === 'leak') return undefined;
      const { pool, problems } = auditThin(device);
      if (pool === undefined) throw new Error(`the check finds nothing, the audit does: ${problems.join('; ')}`);
      return describePool(pool);
    },
  };
}

/** A random script on a Store. */
function storeSubject(random: Random): Subject & { readonly script: unknown } {
  const script = randomStoreScript(random, random.between(5, 50), 300).filter(isLive);
  const options = { journalBlocks: 4, cacheBytes: 32 * 4096 };
  return {
    script,
    blank: () => new MemoryDevice({ nrBlocks: 0 }),
    async play(device, noteStates) {
      const player = new StorePlayer(device, options);
      noteStates(() => player.states);
      player.open();
      try {
        for (const step of script) await player.play(step);
      } finally {
        await player.settle().catch(() => undefined);
      }
      player.compare();
    },
    look(device) {
      const store = Store.open(device, { ...options, readOnly: true });
      for (const _ of store.check()) return undefined;
      return describeStore(store);
    },
  };
}

/** What comes of one lie, while the script runs and when the disk is opened anew. */
export async function lieVerdict(subject: Subject, fault: Fault): Promise<Verdict> {
  const inner = subject.blank();
  const device = new FaultDevice(inner, { faults: [fault] });
  const live = new Witness(device, inner.fork());
  let states = (): readonly string[] => [];
  let thrown: unknown;
  try {
    await subject.play(live, (given) => {
      states = given;
    });
  } catch (error) {
    thrown = error;
  }
  const isWrong = thrown instanceof ExpectationError;
  if (thrown !== undefined && !isTyped(thrown) && !isWrong) return { problem: textOf(thrown) };
  if (thrown !== undefined && live.nrLies === 0) return { problem: `it was told no lie, and throws ${textOf(thrown)}` };
  if (isWrong && live.nrCredible === 0) return { problem: `a wrong answer, for no credible lie: ${textOf(thrown)}` };
  const anew = new Witness(inner.fork(), live.truth.fork());
  let content: string | undefined;
  try {
    content = subject.look(anew);
  } catch (error) {
    if (!isTyped(error)) return { problem: `opened anew: ${textOf(error)}` };
    if (anew.nrLies + live.nrLies === 0) return { problem: `opened anew, it was told no lie: ${textOf(error)}` };
    return { outcome: 'refused' };
  }
  const known = states();
  if (content === undefined) {
    // Even a block that is given up can be wrong without having been read: then it is the counts that say so.
    return anew.nrLies + live.nrLies === 0 ? { problem: 'a check finds something, for no lie' } : { outcome: 'found' };
  }
  if (known.length > 0 && !known.includes(content)) {
    const isCredible = live.nrCredible + anew.nrCredible > 0;
    return isCredible
      ? { outcome: 'unseen' }
      : { problem: 'the check finds nothing, and it holds what never was committed' };
  }
  if (isWrong) return { outcome: 'unseen' };
  if (thrown !== undefined) return { outcome: 'refused' };
  return { outcome: content === known.at(-1) ? 'harmless' : 'older' };
}

/** The device of a script that nothing happens to; it has counted its calls. */
async function playHonestly(subject: Subject): Promise<FaultDevice> {
  const device = new FaultDevice(subject.blank());
  await subject.play(device, () => undefined);
  return device;
}

/** Lies of all kinds, spread over the calls of a script. */
function drawLie(random: Random, calls: FaultDevice['calls'], nrBlocks: number): Fault {
  const kind = random.pick(['lostWrite', 'lostWrite', 'misdirectedWrite', 'staleRead'] as const);
  if (kind === 'staleRead') return { kind, at: random.below(calls.read + 1), forever: random.chance(0.5) };
  const at = random.below(calls.write);
  if (kind === 'lostWrite') return { kind, at, forever: random.chance(0.2) };
  return { kind, at, to: random.below(nrBlocks) };
}

const NR_LIES = 60;

export const LIES: Campaign = {
  name: 'lies',
  states: 'lies',
  hangSeconds: 120,
  ci: { runs: 30 },
  async run({ random, count, note, index }: Run): Promise<void> {
    const subject = index % 2 === 0 ? thinSubject(random) : storeSubject(random);
    const honest = await playHonestly(subject);
    for (let i = 0; i < NR_LIES; i += 1) {
      const fault = drawLie(random, honest.calls, honest.nrBlocks);
      const { problem, outcome } = await lieVerdict(subject, fault);
      count(1);
      if (problem !== undefined) throw new Failure(problem, { fault, script: subject.script });
      if (outcome !== undefined) note(outcome);
    }
  },
};
