/**
 * The kernel oracle: a real Linux kernel in a small virtual machine that uses images of ours. A boot takes three seconds and more,
 * so {@link roundTrips} takes many pools through one.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peer } from '../peers.ts';

const HERE = import.meta.dirname;
const GUEST = join(HERE, 'guest');

/** Kernel and initramfs are kept here from the first run on (35 MB, from Debian's archive). */
const CACHE = process.env.ORACLE_CACHE ?? join(HERE, '../../.cache/kernel-oracle');

/** One run of the virtual machine. */
export interface OracleRun {
  /** Path of a guest script, for busybox's sh. */
  readonly script: string;
  /** Raw images, written in place: /dev/vda, /dev/vdb, … in the guest. Or URIs of NBD exports: see `kernel-oracle.sh`. */
  readonly disks: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Files that the guest finds below /files, by their base names. */
  readonly files?: readonly string[];
  /** The guest is given up after this many seconds; 300 by default. */
  readonly timeoutSeconds?: number;
  /** Hears what the guest script prints, as it comes. */
  readonly onOutput?: (text: string) => void;
  /** Aborted, the virtual machine is killed on the spot: the status is 125. */
  readonly powerCut?: AbortSignal;
}

/** What the guest script printed and its exit status (124: out of time, 125: the guest died). */
export interface OracleResult {
  readonly status: number;
  readonly output: string;
}

/** Whether the oracle can run here. Says aloud what is missing; throws under `CI=true`. */
export function oracleInstalled(): boolean {
  const programs = (['qemu-system-x86_64', 'cpio', 'lz4', 'xz'] as const).map(peer);
  return programs.every((path) => path !== undefined);
}

/** Boots the kernel, runs a script on the given disks, and hands back what it printed. */
export function runOracle(run: OracleRun): Promise<OracleResult> {
  const options = [
    ...(run.files ?? []).flatMap((file) => ['-f', file]),
    ...Object.entries(run.env ?? {}).flatMap(([name, value]) => ['-e', `${name}=${value}`]),
  ];
  const folder = mkdtempSync(join(tmpdir(), 'pdata-guest-'));
  const pidFile = join(folder, 'pid');
  const env = {
    ...process.env,
    ORACLE_CACHE: CACHE,
    ORACLE_TIMEOUT: String(run.timeoutSeconds ?? 300),
    ORACLE_PIDFILE: pidFile,
  };
  // Only the machine: the script around it cleans up, and tells what the kernel said last.
  const cut = () => process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
  run.powerCut?.addEventListener('abort', cut);
  return new Promise<OracleResult>((resolve, reject) => {
    const child = spawn(join(HERE, 'kernel-oracle.sh'), [...options, run.script, ...run.disks], { env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        output += text;
        run.onOutput?.(text);
      });
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ status: code ?? 125, output }));
  }).finally(() => {
    run.powerCut?.removeEventListener('abort', cut);
    rmSync(folder, { recursive: true, force: true });
  });
}

/** What a kernel does with one pool: open it, read all, write, discard, take it down. Blocks are data blocks. */
export interface RoundTrip {
  /** Letters, digits and hyphens. */
  readonly name: string;
  /** Paths of the two images. */
  readonly metadata: string;
  readonly data: string;
  /** Data block size in sectors; 128 by default. */
  readonly blockSectors?: number;
  readonly devices: readonly { readonly id: number; readonly nrBlocks: number }[];
  /** Pool messages before the devices are opened and after they are closed. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  /** Blocks to fill with blockio's pattern, tag `thin-ID`; ranges as blockio has them. */
  readonly writes?: readonly { readonly id: number; readonly range: string }[];
  readonly discards?: readonly { readonly id: number; readonly begin: number; readonly count: number }[];
}

/** What the kernel said of one pool. */
export interface RoundTripReport {
  readonly status: number;
  readonly output: string;
  /** SHA-256 of each whole thin device, in hexadecimal, before the writes and after the discards: `before 7` → sum. */
  readonly sums: ReadonlyMap<string, string>;
}

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function jobFile(trip: RoundTrip, index: number): string {
  const blockSectors = trip.blockSectors ?? 128;
  const letter = (disk: number) => `/dev/vd${String.fromCharCode(97 + disk)}`;
  const settings = {
    META: letter(2 * index),
    DATA: letter(2 * index + 1),
    BLOCK: String(blockSectors),
    DEVS: trip.devices.map(({ id, nrBlocks }) => `${id}:${nrBlocks * blockSectors}`).join(' '),
    WRITES: (trip.writes ?? []).map(({ id, range }) => `${id}:${range}`).join(' '),
    DISCARDS: (trip.discards ?? []).map(({ id, begin, count }) => `${id}:${begin}:${count}`).join(' '),
    BEFORE: (trip.before ?? []).join('\n'),
    AFTER: (trip.after ?? []).join('\n'),
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${quote(value)}\n`)
    .join('');
}

function report(output: string): RoundTripReport {
  const sums = output.matchAll(/^sum (before|after) (\d+) ([0-9a-f]{64})$/gm);
  const status = Number(/^@@exit (\d+)$/m.exec(output)?.[1] ?? 125);
  return { status, output, sums: new Map([...sums].map(([, when, id, sum]) => [`${when} ${id}`, sum!])) };
}

/** Takes up to 12 pools through one boot of the kernel. Reports are by name; the images are changed in place. */
export async function roundTrips(trips: readonly RoundTrip[]): Promise<ReadonlyMap<string, RoundTripReport>> {
  const folder = mkdtempSync(join(tmpdir(), 'pdata-oracle-'));
  try {
    const jobs = trips.map((trip, index) => {
      const path = join(folder, `${String(index).padStart(2, '0')}-${trip.name}.job`);
      writeFileSync(path, jobFile(trip, index));
      return path;
    });
    const { output } = await runOracle({
      script: join(GUEST, 'thin-pools.sh'),
      disks: trips.flatMap(({ metadata, data }) => [metadata, data]),
      files: [...jobs, join(GUEST, 'thin-roundtrip.sh')],
    });
    const parts = output.split(/^@@job \d\d-/m).slice(1);
    if (parts.length < trips.length)
      throw new Error(`the guest did ${parts.length} of ${trips.length} pools:\n${output}`);
    return new Map(parts.map((part) => [part.slice(0, part.indexOf('\n')), report(part)]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
