/**
 * A Linux guest keeps its file system on a volume that `pdata serve` exports. Guest and server are killed in the midst of it; restarted, the
 * file system is sound and holds every file that the guest had synced, and so does a snapshot that was taken while it wrote. Then the
 * kernel's own thin target opens the pool, and reads the same bytes. Slow: `npm run test:oracle`.
 *
 * What this shows: that a guest's flush ends in a commit of the pool. The server keeps new mappings in memory until then, so that SIGKILL
 * loses what was not committed: the control below, a guest that does not flush, does lose files. What it cannot show: that data and
 * metadata were flushed to the disk itself, and in which order. The host's page cache outlives SIGKILL; for that there is `test/crash`.
 */

import { createHash } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from 'persistent-data/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { RunningServer } from '../cli/pool-server.ts';
import { isBuilt, pdata, scratchFolder } from '../cli/program.ts';
import { oracleInstalled, roundTrips, runOracle } from './oracle.ts';

const SIZE = 64 * 2 ** 20;
const BLOCK_BYTES = 65_536;
const seed = Number(process.env.PDATA_SEED ?? 1);
const replay = `PDATA_SEED=${seed} npx vitest run --config test/oracle/vitest.config.ts test/oracle/served-pool.oracle.ts`;

const folder = scratchFolder('oracle-served');
const guest = (name: string) => join(import.meta.dirname, 'guest', name);
const servers: RunningServer[] = [];
let nrControls = 0;
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop('SIGKILL')));
});

async function serve(pool: string): Promise<RunningServer> {
  const server = await RunningServer.start([pool], folder);
  servers.push(server);
  return server;
}

/** A command that has to succeed. */
async function run(...argv: string[]): Promise<string> {
  const { status, stdout, stderr } = await pdata(argv, { cwd: folder });
  expect(status, `pdata ${argv.join(' ')}: ${stderr} (${replay})`).toBe(0);
  return stdout;
}

async function newPool(pool: string): Promise<void> {
  await run('pool', 'create', pool, '--size', '256M');
  await run('volume', 'create', pool, 'disk', '--size', '64M');
}

/** The export as a disk of the guest: its URI in the words of qemu. */
const diskOf = (server: RunningServer, name: string) => `nbd+${server.uri(name).replace(/^nbd\+/, '')}`;

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A guest that writes files, and those of them that it has synced: their sizes by their names. */
class WritingGuest {
  readonly synced = new Map<string, number>();
  readonly ended: Promise<string>;
  readonly #powerCut = new AbortController();
  readonly #waiting: { readonly nrFiles: number; readonly done: () => void }[] = [];
  #rest = '';

  constructor(disk: string, options: { readonly flushes: boolean } = { flushes: true }) {
    const env = { SEED: `${seed}`, FLUSHES: options.flushes ? 'yes' : 'no' };
    const script = guest('served-write.sh');
    const onOutput = (text: string) => this.#hear(text);
    const powerCut = this.#powerCut.signal;
    this.ended = runOracle({ script, disks: [disk], env, onOutput, powerCut }).then(({ output }) => output);
  }

  /** Resolves when so many files are synced. @throws when the guest ends before. */
  async reaches(nrFiles: number): Promise<void> {
    const reached = new Promise<undefined>((done) => this.#waiting.push({ nrFiles, done: () => done(undefined) }));
    this.#hear('');
    const output = await Promise.race([reached, this.ended]);
    if (output !== undefined) throw new Error(`the guest ended before it had synced ${nrFiles} files:\n${output}`);
  }

  kill(): void {
    this.#powerCut.abort();
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const [, name, size] = /^synced (\S+) (\d+)\r?$/.exec(line) ?? [];
      if (name !== undefined) this.synced.set(name, Number(size));
    }
    for (const { nrFiles, done } of this.#waiting) if (this.synced.size >= nrFiles) done();
  }
}

/** A list for `sha256sum -c`, of what the files hold as it follows from their names. */
function sumsFile(path: string, files: ReadonlyMap<string, number>): string {
  const sums = [...files].map(([name, size]) => {
    const line = `file ${name} of seed ${seed}\n`;
    return `${sha256(Buffer.alloc(size, line))}  ${name}\n`;
  });
  writeFileSync(path, sums.join(''));
  return path;
}

function emptyDisk(name: string): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, SIZE);
  return path;
}

/** Kills both, one right after the other. Answers when both are gone. */
async function killBoth(writer: WritingGuest, server: RunningServer, guestFirst: boolean): Promise<void> {
  if (guestFirst) writer.kill();
  const stopped = server.stop('SIGKILL');
  if (!guestFirst) writer.kill();
  servers.splice(servers.indexOf(server), 1);
  expect(await stopped).toBe('SIGKILL');
  await writer.ended;
}

/** The first life: a guest writes, a snapshot is taken meanwhile, both are killed. What was synced at each of these moments. */
async function lifeUntilKilled(random: Random) {
  const server = await serve('pool');
  const writer = new WritingGuest(diskOf(server, 'disk'));
  await writer.reaches(random.between(5, 15));
  const inSnapshot = new Map(writer.synced);
  await run('volume', 'snapshot', 'pool', 'disk', 'monday');
  await writer.reaches(inSnapshot.size + random.between(5, 20));
  await new Promise((next) => setTimeout(next, random.below(300)));
  await killBoth(writer, server, random.chance(0.5));
  return { inSnapshot, inDisk: writer.synced };
}

describe.skipIf(!oracleInstalled() || !isBuilt)('a Linux guest on a served pool', { timeout: 300_000 }, () => {
  test(`finds its files after SIGKILL, and the kernel's thin target reads the same bytes (seed ${seed})`, async () => {
    await newPool('pool');
    const { inSnapshot, inDisk } = await lifeUntilKilled(new Random(seed));
    expect(await run('pool', 'check', 'pool')).toContain('sound, 2 volumes');

    const again = await serve('pool');
    const { status, output } = await check(again, inDisk, inSnapshot);
    expect(status, `${output}\n${replay}`).toBe(0);
    expect(output).toContain(`/files/disk: ${inDisk.size} files as they were synced`);
    expect(output).toContain(`/files/snapshot: ${inSnapshot.size} files as they were synced`);
    expect(await servers.pop()!.stop('SIGTERM')).toBe(0);

    await theKernelReadsTheSame();
  });

  // The server commits once a second by itself too: killed right after that, it loses nothing.
  test('loses files when it flushes nothing: the control', { retry: 2 }, async () => {
    const pool = `control-${nrControls++}`;
    await newPool(pool);
    const server = await serve(pool);
    const writer = new WritingGuest(diskOf(server, 'disk'), { flushes: false });
    await writer.reaches(8);
    await killBoth(writer, server, false);
    expect(await run('pool', 'check', pool)).toContain('sound, 1 volumes');
    await run('volume', 'snapshot', pool, 'disk', 'monday');
    const { status, output } = await check(await serve(pool), writer.synced, writer.synced);
    expect([0, 124, 125], output).not.toContain(status);
    // No file system, or files that are gone or other ones, or e2fsck's complaint.
    expect(output).toMatch(
      /^mount: mounting .* failed|: FAILED$|^sha256sum: WARNING|Filesystem still has errors|WARNING: Filesystem/m,
    );
    expect(output).not.toContain('served check: done');
  });
});

/** Boots the guest that looks at the disk and at its snapshot. */
function check(server: RunningServer, inDisk: ReadonlyMap<string, number>, inSnapshot: ReadonlyMap<string, number>) {
  return runOracle({
    script: guest('served-check.sh'),
    disks: [diskOf(server, 'disk'), `${diskOf(server, 'monday')},readonly=on`, emptyDisk('changes')],
    files: [sumsFile(join(folder, 'disk'), inDisk), sumsFile(join(folder, 'snapshot'), inSnapshot)],
  });
}

/** Compares what `volume export` writes with what dm-thin reads from the pool's two files. */
async function theKernelReadsTheSame(): Promise<void> {
  const listed = JSON.parse(await run('volume', 'list', '--json', 'pool')) as {
    volumes: { id: number; name: string }[];
  };
  const { volumes } = listed;
  expect(volumes.map(({ name }) => name)).toEqual(['disk', 'monday']);
  const [metadata, data] = [join(folder, 'pool', 'metadata'), join(folder, 'pool', 'data')];
  const devices = volumes.map(({ id }) => ({ id, nrBlocks: SIZE / BLOCK_BYTES }));
  const exported = new Map<number, string>();
  for (const { id, name } of volumes) {
    await run('volume', 'export', 'pool', name, `raw-${name}`);
    exported.set(id, sha256(readFileSync(join(folder, `raw-${name}`))));
  }
  expect(new Set(exported.values()).size, 'sums that differ').toBe(volumes.length);
  const report = (await roundTrips([{ name: 'pool', metadata, data, devices }])).get('pool');
  expect(report?.status, report?.output).toBe(0);
  for (const [id, sum] of exported) expect(report?.sums.get(`before ${id}`), `volume ${id} (${replay})`).toBe(sum);
  expect(await run('pool', 'check', 'pool')).toContain('sound, 2 volumes');
}
