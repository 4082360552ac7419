/** Damaged and hostile pools through the real program: its exit codes, its words, and what it repairs, next to 1.1.0's where that is installed. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryDevice } from 'persistent-data/io';
import { auditThin, damageThin, mutateThin, type Random, THIN_DAMAGES } from 'persistent-data/testing';
import { type Campaign, Failure, type Run } from './campaign.ts';
import { patientNumber } from './fuzz-thin.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'packages/pdata/dist/main.js');
/** The repair of thin-provisioning-tools 1.1.0, as `bench/tools` installs it. */
const PEER = join(ROOT, '.cache/rust-tools/bin/thin_repair');
const NR_POOLS = 40;
const TIMEOUT_MS = 20_000;
/** What an exception looks like that nobody caught, or that nobody meant to be read. */
const UNTYPED =
  /\n\s+at .+:\d+|\b(Type|Range|Reference|Assertion|Syntax)Error\b|undefined is not|Cannot read propert|\[object /;

class Folder {
  readonly #folder = mkdtempSync(join(tmpdir(), 'pdata-cli-'));
  readonly image = join(this.#folder, 'image');
  readonly repaired = join(this.#folder, 'repaired');
  readonly theirs = join(this.#folder, 'theirs');

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Runs one command; it ends by itself, with a code that is documented, and says nothing that only a programmer understands. */
function pdata(done: string, ...argv: readonly string[]): number {
  const ran = spawnSync(process.execPath, [PROGRAM, ...argv], {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 2 ** 28,
  });
  const text = argv.slice(0, 2).join(' ');
  if (ran.signal !== null) throw new Failure(`${text} ended by ${ran.signal}`, done);
  if (ran.status !== 0 && ran.status !== 64) throw new Failure(`${text} ended with ${ran.status}: ${ran.stderr}`, done);
  if (UNTYPED.test(ran.stderr)) throw new Failure(`${text} says ${ran.stderr.slice(0, 600)}`, done);
  if (ran.status !== 0 && ran.stderr.trim() === '' && !argv.includes('-q') && !argv.includes('--json')) {
    throw new Failure(`${text} fails and does not say why`, done);
  }
  return ran.status;
}

/** Damage that leaves something to repair, and hostile content, half and half. */
async function sickPool(random: Random): Promise<{ readonly device: MemoryDevice; readonly done: string }> {
  const number = random.below(NR_POOLS);
  const patient = await patientNumber(number);
  const device = (patient.device as MemoryDevice).fork();
  const isDamage = random.chance(0.5);
  const done = Array.from({ length: random.pick([1, 1, 2]) }, () =>
    isDamage ? damageThin(patient, device, random.pick(THIN_DAMAGES), random) : mutateThin(patient, device, random),
  );
  return { device, done: `pool ${number}: ${done.filter((text) => text !== undefined).join('; ')}` };
}

/** Mappings of a sound image, as text; `undefined` when the audit refuses it. */
function mappingsOf(path: string): ReadonlySet<string> | undefined {
  const { pool, problems } = auditThin(MemoryDevice.from(new Uint8Array(readFileSync(path))));
  if (pool === undefined || problems.length > 0) return undefined;
  return new Set(
    pool.devices.flatMap(({ id, mappings }) => mappings.map(([block, dataBlock]) => `${id}:${block}=${dataBlock}`)),
  );
}

/** What is repaired is sound; of what 1.1.0 saves nothing is lost. */
function repair(folder: Folder, device: MemoryDevice, done: string, note: Run['note']): void {
  const empty = new Uint8Array(4096 * device.nrBlocks * 2);
  writeFileSync(folder.repaired, empty);
  const isRepaired = pdata(done, 'thin_repair', '-i', folder.image, '-o', folder.repaired) === 0;
  note(isRepaired ? 'repaired' : 'beyond repair');
  if (isRepaired && pdata(done, 'thin_check', folder.repaired) !== 0) {
    throw new Failure('the check finds something in what was repaired', done);
  }
  const ours = isRepaired ? mappingsOf(folder.repaired) : undefined;
  if (isRepaired && ours === undefined) throw new Failure('the audit finds something in what was repaired', done);
  if (!existsSync(PEER)) return;
  writeFileSync(folder.theirs, empty);
  const { status } = spawnSync(PEER, ['-i', folder.image, '-o', folder.theirs], { timeout: TIMEOUT_MS });
  // It may crash, or leave what is no pool.
  const theirs = status === 0 ? mappingsOf(folder.theirs) : undefined;
  if (theirs === undefined) {
    note('1.1.0 fails');
    return;
  }
  const lost = [...theirs].filter((mapping) => !ours?.has(mapping));
  if (lost.length > 0)
    throw new Failure(`1.1.0 saves ${lost.length} mappings more, as ${lost.slice(0, 3).join()}`, done);
  note(theirs.size === ours?.size ? 'as 1.1.0' : 'more than 1.1.0');
}

/** See the top of this file. */
export const CLI: Campaign = {
  name: 'cli',
  states: 'images',
  hangSeconds: 240,
  ci: { states: 60 },
  missing: () => (existsSync(PROGRAM) ? undefined : 'the program is not built: `npm run build`'),
  async run({ random, count, note }: Run): Promise<void> {
    const folder = new Folder();
    try {
      const { device, done } = await sickPool(random);
      writeFileSync(folder.image, device.toBytes());
      const isSound = pdata(done, 'thin_check', folder.image) === 0;
      note(isSound ? 'passed' : 'refused');
      const isDumped = pdata(done, 'thin_dump', folder.image) === 0;
      if (isSound && !isDumped) throw new Failure('the check passes what cannot be dumped', done);
      const others = [
        ['thin_ls', folder.image],
        ['thin_rmap', '--region', '0..100', folder.image],
        ['thin_dump', '--repair', folder.image],
        ['thin_check', '--json', folder.image],
        ['thin_check', '-q', '--skip-mappings', folder.image],
      ];
      pdata(done, ...random.pick(others));
      repair(folder, device, done, note);
      count(1);
    } finally {
      folder.remove();
    }
  },
};
