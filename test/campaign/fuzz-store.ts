/** Hostile images of stores. */

import { CorruptionError, ParseError, PersistentDataError } from 'persistent-data/base';
import { blockChecksum, SALT, WORDS_PER_BLOCK } from 'persistent-data/format';
import { BLOCK_SIZE, MemoryDevice } from 'persistent-data/io';
import { Store, type StoreState, u32 } from 'persistent-data/store';
import {
  damageJournal,
  damageStore,
  JOURNAL_DAMAGES,
  Random,
  STORE_DAMAGES,
  StorePatient,
} from 'persistent-data/testing';
import { Failure, type Run, textOf, withoutStacks } from './campaign.ts';
import { describeStore } from './store-contents.ts';
import { StorePlayer } from './store-player.ts';
import { randomStoreScript } from './store-script.ts';

const NR_STORES = 24;
const MAX_ENTRIES = 3000;
const MAX_MS = 5000;
const OPTIONS = { journalBlocks: 4, cacheBytes: 32 * BLOCK_SIZE };
const TELLING = [0, 1, 2, 3, 255, 4096, 16320, 0x7fff_ffff, 0xffff_ffff];

interface Patient {
  readonly device: MemoryDevice;
  readonly words: Uint32Array;
  /** Blocks that are not zeros, with the salt of their checksum where they have one. */
  readonly blocks: readonly (readonly [block: number, salt: number | undefined])[];
  /** For damage of known kinds; of a store that was closed only. */
  readonly anatomy: StorePatient | undefined;
  /** What a sound reader finds in it. */
  readonly content: string;
}

const patients = new Map<number, Patient>();

async function patientNumber(index: number): Promise<Patient> {
  const known = patients.get(index);
  if (known !== undefined) return known;
  const random = new Random(2_000_000 + index);
  const device = new MemoryDevice({ nrBlocks: 0 });
  const player = new StorePlayer(device, OPTIONS);
  player.open();
  for (const step of randomStoreScript(random, random.pick([5, 30, 60]), random.pick([20, 300])))
    await player.play(step);
  await player.settle();
  // Half of them closed, half of them with a journal that has to be replayed.
  if (index % 2 === 0) player.store.close();
  const words = new Uint32Array(device.toBytes().buffer);
  const salts = Object.values(SALT);
  const blocks = Array.from({ length: device.nrBlocks }, (_, block) => block)
    .filter((block) =>
      words.subarray(block * WORDS_PER_BLOCK, (block + 1) * WORDS_PER_BLOCK).some((word) => word !== 0),
    )
    .map((block) => {
      const base = block * WORDS_PER_BLOCK;
      return [block, salts.find((salt) => blockChecksum(words, base, salt) === words[base])] as const;
    });
  const anatomy = index % 2 === 0 ? new StorePatient(device.fork()) : undefined;
  const content = describeStore(Store.open(device.fork(), { ...OPTIONS, readOnly: true }));
  const patient = { device: device.fork(), words, blocks, anatomy, content };
  patients.set(index, patient);
  return patient;
}

/** Changes one block and seals it again, if it has a seal. Says what was done. */
function mutate({ words, blocks }: Patient, device: MemoryDevice, random: Random): string {
  const [block, salt] = random.pick(blocks);
  const copy = words.slice(block * WORDS_PER_BLOCK, (block + 1) * WORDS_PER_BLOCK);
  const word = random.chance(0.5) ? random.between(1, 40) : random.below(WORDS_PER_BLOCK);
  const doers: Record<string, () => void> = {
    set: () => {
      copy[word] = random.chance(0.5) ? random.below(device.nrBlocks + 2) : random.pick(TELLING);
    },
    flip: () => {
      copy[word] = (copy[word] as number) ^ (1 << random.below(32));
    },
    noise: () => {
      for (let i = word; i < Math.min(WORDS_PER_BLOCK, word + 60); i += 1) copy[i] = random.uint32();
    },
    copy: () => {
      const [other] = random.pick(blocks);
      copy.set(words.subarray(other * WORDS_PER_BLOCK, (other + 1) * WORDS_PER_BLOCK));
      copy[2] = block;
    },
    zero: () => {
      copy.fill(0);
    },
  };
  const name = random.pick(Object.keys(doers));
  (doers[name] as () => void)();
  if (salt !== undefined && random.chance(0.95)) copy[0] = blockChecksum(copy, 0, salt);
  device.write(block, [new Uint8Array(copy.buffer)]);
  return `${name} at word ${word} of block ${block}`;
}

function readSome(state: StoreState): void {
  for (const { name } of state.collections().slice(0, 5)) {
    let nrEntries = 0;
    const tree = state.tree(name, { value: u32 });
    for (const _ of tree.entries()) if (++nrEntries >= MAX_ENTRIES) break;
    tree.get(17);
  }
}

/** Opens, reads, checks, changes and closes a store; each may fail, with an error of a known kind. */
function tryStore(device: MemoryDevice, random: Random, note: Run['note']): void {
  let stage = '';
  const attempt = <T>(name: string, work: () => T): T | undefined => {
    stage = name;
    const begin = performance.now();
    try {
      return work();
    } catch (error) {
      if (!(error instanceof PersistentDataError) && !(error instanceof ParseError)) {
        throw new Error(`${stage}: ${textOf(error)}`, { cause: error });
      }
      const isReplay = name === 'open' && error instanceof CorruptionError && error.kind === 'journal_record';
      if (isReplay) note('journals refused');
      return undefined;
    } finally {
      stage += ` (${Math.round(performance.now() - begin)} ms)`;
    }
  };
  const begin = performance.now();
  attempt('open read-only', () =>
    readSome(Store.open(device.fork(), { cacheBytes: OPTIONS.cacheBytes, readOnly: true })),
  );
  const store = attempt('open', () => Store.open(device, OPTIONS));
  if (store !== undefined) {
    attempt('read', () => readSome(store));
    attempt('snapshots', () => {
      for (const snapshot of store.snapshots().slice(0, 4)) readSome(snapshot);
    });
    attempt('check', () => [...store.check()].length);
    attempt('change', () => store.transact(() => store.tree('t0', { value: u32 }).set(random.below(4000), 1)));
    attempt('delete a range', () => store.tree('t1', { value: u32 }).deleteRange(0, 500));
    attempt('snapshot', () => store.snapshot('fuzz'));
    attempt('restore', () => store.snapshots()[0]?.restore());
    attempt('close', () => store.close());
  }
  if (performance.now() - begin > MAX_MS) throw new Error(`it took too long, the last was ${stage}`);
}

/** How often an image has damage of a known kind, where its store was closed. */
const DAMAGED = 0.4;
/** How often another one has a journal that is hostile, with the right checksums. */
const REPLAYED = 0.4;

/**
 * After damage of one known kind a store is refused, or its check finds it, or it still holds what it held. A node that is as it was some entries ago
 * is known by the counts alone.
 */
function judgeDamage({ content }: Patient, device: MemoryDevice): void {
  let found: string;
  try {
    const store = Store.open(device, { ...OPTIONS, readOnly: true });
    for (const _ of store.check()) return;
    found = describeStore(store);
  } catch (error) {
    if (error instanceof PersistentDataError) return;
    throw error;
  }
  if (found !== content) throw new Error('the check finds nothing, and it holds something else');
}

/** One image. */
export async function runStoreFuzz({ random, count, note }: Run): Promise<void> {
  const index = random.below(NR_STORES);
  const patient = await patientNumber(index);
  const seed = random.uint32();
  let done: string[] = [];
  const tryOnce = (): void => {
    const own = new Random(seed);
    const device = patient.device.fork();
    const { anatomy } = patient;
    if (anatomy !== undefined && own.chance(DAMAGED)) {
      const kinds = Array.from({ length: own.pick([1, 1, 2, 4]) }, () => own.pick(STORE_DAMAGES));
      done = kinds.flatMap((kind) => damageStore(anatomy, device, kind, own) ?? []);
      note('damaged');
      if (done.length === 1) judgeDamage(patient, device.fork());
    } else if (own.chance(REPLAYED)) {
      const kinds = Array.from({ length: own.pick([1, 1, 2, 4]) }, () => own.pick(JOURNAL_DAMAGES));
      done = kinds.flatMap((kind) => damageJournal(device, kind, own) ?? []);
      note('journals');
    } else {
      done = Array.from({ length: own.pick([1, 1, 2, 4]) }, () => mutate(patient, device, own));
    }
    tryStore(device, own, note);
  };
  count(1);
  try {
    withoutStacks(tryOnce);
  } catch (first) {
    let error = first;
    try {
      tryOnce();
    } catch (again) {
      error = again;
    }
    const { cause } = error as Error;
    const stack = cause instanceof Error ? `\n${cause.stack?.split('\n').slice(1, 6).join('\n')}` : '';
    throw new Failure(`${textOf(error)}${stack}`, { store: index, done });
  }
}
