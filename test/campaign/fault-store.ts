/** An error at every single call of a script: the Store's part. */

import { PersistentDataError } from 'persistent-data/base';
import { MemoryDevice } from 'persistent-data/io';
import { Store, type StoreOptions } from 'persistent-data/store';
import { type CallKind, type Fault, FaultDevice } from 'persistent-data/testing';
import { Failure, type Run, textOf } from './campaign.ts';
import { CALL_KINDS, faultsAt, isReading, namesReason } from './faults.ts';
import { describeStore } from './store-contents.ts';
import { StorePlayer } from './store-player.ts';
import { randomStoreScript, type StoreScript, type StoreStep } from './store-script.ts';

interface StoreFaultCase {
  readonly script: StoreScript;
  readonly options: StoreOptions;
}

async function countCalls({ script, options }: StoreFaultCase): Promise<FaultDevice['calls']> {
  const device = new FaultDevice(new MemoryDevice({ nrBlocks: 0 }));
  const player = new StorePlayer(device, options);
  player.open();
  for (const step of script) await player.play(step);
  await player.settle();
  return device.calls;
}

/** Insists that a latched store refuses all work, each time with the reason. */
function latchProblem(store: Store): string | undefined {
  const calls: Record<string, () => unknown> = {
    begin: () => store.begin(),
    snapshot: () => store.snapshot('latched'),
    snapshots: () => store.snapshots(),
  };
  for (const [name, call] of Object.entries(calls)) {
    try {
      call();
      return `${name} succeeds after a failed write or flush`;
    } catch (error) {
      if (!(error instanceof PersistentDataError)) return `${name}, latched, throws ${textOf(error)}`;
      if (!namesReason(error)) return `${name}, latched, does not say why: ${error.message}`;
    }
  }
  return undefined;
}

function fileProblem(device: MemoryDevice, allowed: readonly string[], options: StoreOptions): string | undefined {
  try {
    const store = Store.open(device, options);
    const found = describeStore(store);
    if (!allowed.includes(found)) return `it holds what it must not: ${found.slice(0, 300)}`;
    for (const finding of store.check()) return `the check finds: ${finding.message}`;
    return undefined;
  } catch (error) {
    return textOf(error);
  }
}

const isOpening = (step: StoreStep | undefined): boolean => step?.[0] === 'reopen' || step?.[0] === 'crash';
/** The host being full is no failure of the disk: the store goes on without what did not fit. */
const latches = (fault: Fault): boolean =>
  !isReading(fault) && (fault.kind !== 'error' || (fault.code !== 'ENOSPC' && fault.call !== 'resize'));

async function problemOf({ script, options }: StoreFaultCase, fault: Fault): Promise<string | undefined> {
  const inner = new MemoryDevice({ nrBlocks: 0 });
  const device = new FaultDevice(inner, { faults: [fault] });
  const player = new StorePlayer(device, options);
  let done = -1;
  let thrown: unknown;
  try {
    player.open();
    for (done = 0; done < script.length; done += 1) await player.play(script[done] as StoreStep);
    await player.settle();
    player.compare();
  } catch (error) {
    thrown = error;
  }
  if (thrown !== undefined && !(thrown instanceof PersistentDataError)) return `step ${done} throws ${textOf(thrown)}`;
  if (thrown !== undefined && device.shown.length === 0)
    return `step ${done} throws without a fault: ${textOf(thrown)}`;
  await player.settle().catch(() => undefined);
  if (thrown !== undefined && latches(fault) && done >= 0 && !isOpening(script[done])) {
    const problem = latchProblem(player.store);
    if (problem !== undefined) return problem;
  }
  const found = fileProblem(inner.fork(), player.allowed, options);
  if (found !== undefined) return `the file, after ${textOf(thrown)}: ${found}`;
  if (thrown === undefined) return undefined;
  device.heal();
  try {
    await player.recover();
    for (const step of script.slice(done + 1)) await player.play(step);
    await player.settle();
    player.compare();
  } catch (error) {
    return `reopened after step ${done} failed: ${textOf(error)}`;
  }
  return undefined;
}

/** All faults at all calls of one script. */
export async function runStoreFault({ random, count }: Run, nrSteps: number): Promise<void> {
  const script = randomStoreScript(random, nrSteps, 60);
  const options = { journalBlocks: 4, cacheBytes: 4096 * random.pick([32, 48]) };
  const each = { script, options };
  const calls = await countCalls(each);
  for (const kind of CALL_KINDS as readonly CallKind[]) {
    for (let at = 0; at < calls[kind]; at += 1) {
      for (const fault of faultsAt(kind, at)) {
        const problem = await problemOf(each, fault);
        count(1);
        if (problem !== undefined) throw new Failure(problem, { options, fault, script });
      }
    }
  }
}
