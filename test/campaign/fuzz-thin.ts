/** Hostile images of thin pools: valid checksums, and content that no pool has. */

import { CorruptionError, isFatal, ParseError, PersistentDataError } from 'persistent-data/base';
import { MemoryDevice } from 'persistent-data/io';
import {
  auditThin,
  mutateThin,
  Random,
  randomThinScript,
  ThinPatient,
  ThinPlayer,
  type ThinScriptShape,
} from 'persistent-data/testing';
import {
  checkThin,
  dumpThin,
  dumpThinXml,
  findRoots,
  planRepair,
  readThinXml,
  repairedView,
  restoreThinXml,
  type ThinDevice,
  ThinMetadata,
  type ThinVisitor,
} from 'persistent-data/thin';
import { Failure, type Run, textOf, withoutStacks } from './campaign.ts';
import { readWithTools } from './fuzz-tools.ts';
import { playerOptions } from './thin-pool.ts';

const NR_POOLS = 60;
const MAX_MS = 5000;
/** More findings than these say nothing new. */
const MAX_FINDINGS = 2000;

const SHAPES: readonly ThinScriptShape[] = [
  { nrSteps: 8 },
  { nrSteps: 40 },
  { nrSteps: 60, maxWrite: 150, nrVirtualBlocks: 4000, weights: { discard: 2, delete: 1 } },
  { nrSteps: 60, nrIds: 200, weights: { create: 40, snapshot: 20 } },
  { nrSteps: 50, weights: { hold: 10, release: 1 } },
  { nrSteps: 60, maxWrite: 60, nrVirtualBlocks: 700, weights: { snapshot: 15, overwrite: 10, delete: 0 } },
];

const pools = new Map<number, ThinPatient>();

/** Pool number `index` of those that are mutated: the same for all seeds. */
export async function patientNumber(index: number): Promise<ThinPatient> {
  const known = pools.get(index);
  if (known !== undefined) return known;
  const random = new Random(1_000_000 + index);
  const device = new MemoryDevice({ nrBlocks: random.pick([32, 64, 100, 128]) });
  const nrDataBlocks = random.pick([20, 1000, 17_000]);
  const player = ThinPlayer.format(device, playerOptions(device.nrBlocks, nrDataBlocks, random));
  const shape = SHAPES[index % SHAPES.length] as ThinScriptShape;
  await player.playAll([...randomThinScript(random, shape), ['commit']]);
  player.metadata.close();
  const patient = new ThinPatient(device);
  pools.set(index, patient);
  return patient;
}

/** What can be told about one input: which pool, and the seeds of its changes. */
interface Input {
  readonly pool: number;
  readonly changes: readonly number[];
}

const TYPED = (error: unknown): boolean => error instanceof PersistentDataError || error instanceof ParseError;

class Trial {
  readonly device: MemoryDevice;
  /** What was done to the image. */
  readonly done: readonly string[];
  stage = 'nothing';
  /** Errors that the image earned. */
  nrErrors = 0;

  constructor(device: MemoryDevice, done: readonly string[]) {
    this.device = device;
    this.done = done;
  }

  /** Does something that may fail for what the image holds; `undefined` when it did. */
  attempt<T>(stage: string, work: () => T): T | undefined {
    this.stage = stage;
    const begin = performance.now();
    let result: T | undefined;
    try {
      result = work();
    } catch (error) {
      if (!TYPED(error)) throw error;
      this.nrErrors += 1;
    }
    const took = performance.now() - begin;
    if (took > MAX_MS) throw new Error(`it took ${Math.round(took)} ms`);
    return result;
  }
}

function lookAround(trial: Trial, metadata: ThinMetadata): void {
  const listed = trial.attempt('list devices', () => metadata.devices()) ?? [];
  for (const { id } of listed.slice(0, 4)) {
    const thin = trial.attempt('open a device', () => metadata.openThin(id));
    if (thin === undefined) continue;
    trial.attempt('look up', () => [0, 5, 299, 2 ** 40].map((block) => thin.find(block)));
    trial.attempt('highest', () => thin.highestMapped);
    trial.attempt('runs', () => countRuns(thin));
    thin.close();
  }
}

function countRuns(thin: ThinDevice): number {
  let nrRuns = 0;
  for (let begin = 0; nrRuns < 40; nrRuns += 1) {
    const run = thin.findMappedRange(begin, Number.MAX_SAFE_INTEGER);
    if (run === undefined) break;
    begin = run.end;
  }
  return nrRuns;
}

/** Changes of all kinds, until one breaks the transaction; then a commit, which has to refuse. */
function changePool(trial: Trial, metadata: ThinMetadata, random: Random): void {
  const listed = trial.attempt('list devices', () => metadata.devices().map(({ id }) => id)) ?? [];
  const id = listed.length > 0 ? random.pick(listed) : 0;
  const changes: [string, () => unknown][] = [
    ['create', () => metadata.createThin(77)],
    ['snapshot', () => metadata.createSnapshot({ snapshot: 78, origin: id })],
    ['allocate', () => metadata.allocateDataBlock()],
    ['insert', () => withThin(metadata, id, (thin) => thin.insert(random.below(300), metadata.allocateDataBlock()))],
    ['discard', () => withThin(metadata, id, (thin) => thin.removeRange(random.below(100), 400))],
    ['delete', () => metadata.deleteThin(listed.length > 1 ? (listed.at(-1) as number) : id)],
    ['hold', () => metadata.reserveMetadataSnapshot()],
    ['release', () => metadata.releaseMetadataSnapshot()],
    ['grow', () => metadata.resizeData(metadata.nrDataBlocks + 10)],
    ['commit', () => metadata.commit()],
  ];
  for (const [name, change] of random.chance(0.5) ? changes : random.shuffled(changes)) trial.attempt(name, change);
  trial.attempt('last commit', () => metadata.commit());
  trial.attempt('rollback', () => metadata.rollback());
  trial.attempt('close', () => metadata.close());
}

function withThin(metadata: ThinMetadata, id: number, work: (thin: ThinDevice) => unknown): void {
  const thin = metadata.openThin(id);
  try {
    work(thin);
  } finally {
    thin.close();
  }
}

/** Checks an image; answers whether it has no fault at all. */
function check(trial: Trial, device: MemoryDevice): boolean {
  let nrFindings = 0;
  let nrBad = 0;
  trial.attempt('check', () => {
    for (const finding of checkThin(device)) {
      if (isFatal(finding) || finding.severity === 'leak') nrBad += 1;
      nrFindings += 1;
      if (nrFindings > MAX_FINDINGS) {
        nrBad += 1;
        break;
      }
    }
  });
  if (trial.nrErrors > 0) throw new Error('the check threw what it has to report');
  return nrBad === 0;
}

function tryInput(patient: ThinPatient, input: Input, note: Run['note']): string | undefined {
  const device = (patient.device as MemoryDevice).fork();
  const done = input.changes.flatMap((seed) => mutateThin(patient, device, new Random(seed)) ?? []);
  const trial = new Trial(device, done);
  const random = new Random(input.changes[0] ?? 0);
  // As it was before anything was changed in it.
  const original = device.fork();
  try {
    const isSound = check(trial, device);
    note(isSound ? 'passed' : 'refused');
    const metadata = trial.attempt('open', () => ThinMetadata.open(device, { cacheBlocks: 64 }));
    if (metadata !== undefined) {
      lookAround(trial, metadata);
      if (isSound && trial.nrErrors > 0) throw new Error('the check finds nothing, and it cannot be read');
      if (isSound && trial.attempt('dump a sound pool', () => dumpThin(device, NOWHERE) ?? true) === undefined) {
        throw new Error('the check finds nothing, and it cannot be dumped');
      }
      if (random.chance(0.25)) compareVerdicts(trial, device, isSound);
      changePool(trial, metadata, random);
    }
    if (random.chance(0.25)) dumpAndRestore(trial, original, random);
    if (random.chance(0.25)) repair(trial, original);
    if (random.chance(0.15)) readWithTools(original, (stage, work) => trial.attempt(stage, work));
    return undefined;
  } catch (error) {
    const stack = error instanceof Error ? (error.stack ?? '').split('\n').slice(1, 6).join('\n') : '';
    return `${trial.stage}: ${textOf(error)}\n  done to it: ${done.join('; ')}\n${stack}`;
  }
}

const NOTHING = (): void => undefined;

/** Takes all, keeps nothing. */
const NOWHERE: ThinVisitor = {
  superblockBegin: NOTHING,
  superblockEnd: NOTHING,
  defBegin: NOTHING,
  defEnd: NOTHING,
  deviceBegin: NOTHING,
  deviceEnd: NOTHING,
  map: NOTHING,
  ref: NOTHING,
};

/** A dump, and what can be made of one: it is read, changed as a text, restored. */
function dumpAndRestore(trial: Trial, device: MemoryDevice, random: Random): void {
  const xml = trial.attempt('dump', () => dumpThinXml(device));
  if (xml === undefined) return;
  trial.attempt('read the dump', () => readThinXml([new TextEncoder().encode(xml)], NOWHERE));
  const mangled = mangle(xml, random);
  trial.attempt('read a changed dump', () => readThinXml([new TextEncoder().encode(mangled)], NOWHERE));
  const target = new MemoryDevice({ nrBlocks: 300 });
  const isRestored = trial.attempt('restore', () => {
    try {
      restoreThinXml(target, random.chance(0.5) ? xml : mangled, { cacheBlocks: 64 });
      return true;
    } catch (error) {
      // A number that no pool may have, which a restore takes for an argument.
      if (error instanceof RangeError && !/Invalid|length/.test(error.message)) return false;
      throw error;
    }
  });
  if (!isRestored) return;
  const { problems } = auditThin(target);
  if (problems.length > 0) throw new Error(`what was restored is not sound: ${problems.slice(0, 3).join('; ')}`);
}

/** Cuts, doubles, exchanges and changes pieces of a text. */
function mangle(xml: string, random: Random): string {
  let text = xml;
  for (let i = random.between(1, 4); i > 0; i -= 1) {
    const [a, b] = [random.below(text.length + 1), random.below(text.length + 1)].sort((x, y) => x - y) as [
      number,
      number,
    ];
    const end = random.chance(0.7) ? Math.min(b, a + random.below(12)) : b;
    const numbers = ['0', '-1', '18446744073709551615', '1e9', '16777216', '99999999999999999999', '"', '<', '&#0;'];
    const middle = random.pick([
      () => '',
      () => text.slice(a, end).repeat(2),
      () => random.pick(numbers),
      () => String.fromCharCode(random.below(300)),
    ])();
    text = text.slice(0, a) + middle + text.slice(end);
  }
  return text;
}

/** Looks for roots that are whole, and reads the pool by them. */
function repair(trial: Trial, device: MemoryDevice): void {
  const found = trial.attempt('find roots', () => findRoots(device));
  if (found === undefined) throw new Error('to look for roots threw');
  const plan = trial.attempt('plan a repair', () => planRepair(found));
  if (plan === undefined) return;
  trial.attempt('dump what a repair takes', () => dumpThin(repairedView(device, plan), NOWHERE));
}

/** What nobody relies on, and the tools do not verify: sums over counts. */
const SUMS = /says .* (are free|are in use|is free before)/;

/** The check and the audit know the same rules. What the audit has found has to be a finding too. */
function compareVerdicts(trial: Trial, device: MemoryDevice, isSound: boolean): void {
  trial.stage = 'audit';
  const problems = auditThin(device).problems.filter((text) => !SUMS.test(text));
  if (isSound && problems.length > 0) {
    throw new CorruptionError(`the check finds nothing, the audit does: ${problems.slice(0, 3).join('; ')}`);
  }
}

/** One image. */
export async function runThinFuzz({ random, count, note }: Run): Promise<void> {
  const pool = random.below(NR_POOLS);
  const patient = await patientNumber(pool);
  const changes = Array.from({ length: random.pick([1, 1, 1, 2, 3, 5]) }, () => random.uint32());
  const problem = withoutStacks(() => tryInput(patient, { pool, changes }, note));
  count(1);
  if (problem === undefined) return;
  let smallest = changes;
  for (const change of changes) {
    const fewer = smallest.filter((each) => each !== change);
    if (fewer.length > 0 && tryInput(patient, { pool, changes: fewer }, () => undefined) !== undefined)
      smallest = fewer;
  }
  throw new Failure(tryInput(patient, { pool, changes: smallest }, () => undefined) ?? problem, {
    pool,
    changes: smallest,
  });
}
