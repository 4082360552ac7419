import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PDATA = join(import.meta.dirname, '../../packages/pdata/bin/pdata.js');
const START_MS = 30_000;
const POLL_MS = 10;
/** Of /proc/PID/stat's times. */
const TICK_US = 10_000;

/** Runs a program to its end. Answers what it printed. @throws {Error} with what it said when it fails. */
export function run(program: string, argv: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, argv, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (error !== undefined) throw new Error(`Cannot run ${program}: ${error.message}`, { cause: error });
  if (status !== 0) throw new Error(`Cannot run ${program} ${argv.join(' ')}: ${stderr.trim() || `status ${status}`}`);
  return stdout;
}

/** Runs one of our commands. */
export function runPdata(argv: readonly string[]): string {
  return run(process.execPath, [PDATA, ...argv]);
}

/** A server in a process of its own, on a unix socket. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #socket: string;

  private constructor(child: ChildProcess, socket: string) {
    this.#child = child;
    this.#socket = socket;
  }

  /** `pdata serve` of a pool. `PDATA_BENCH_NODE` in the environment has further arguments for Node, as `--cpu-prof`. */
  static pdata(pool: string, socket: string): Promise<ServerProcess> {
    const flags = (process.env.PDATA_BENCH_NODE ?? '').split(' ').filter((flag) => flag !== '');
    return ServerProcess.#start(process.execPath, [...flags, PDATA, 'serve', pool, '--socket', socket], socket);
  }

  static qemu(image: string, socket: string, cache: string): Promise<ServerProcess> {
    const argv = ['-t', '-e', '4', '-k', socket, '-f', 'qcow2', `--cache=${cache}`, image];
    return ServerProcess.#start('qemu-nbd', argv, socket);
  }

  static async #start(program: string, argv: readonly string[], socket: string): Promise<ServerProcess> {
    rmSync(socket, { force: true });
    let complaint = '';
    const child = spawn(program, argv, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr?.on('data', (text: Buffer) => {
      complaint = `${complaint}${text.toString()}`.slice(-1000);
    });
    const failed = new Promise<never>((_, fail) => {
      child.once('error', fail);
      child.once('exit', (status) => fail(new Error(`Cannot serve: ${program} ended with ${status}: ${complaint}`)));
    });
    failed.catch(() => undefined);
    for (let waited = 0; !existsSync(socket); waited += POLL_MS) {
      if (waited > START_MS) throw new Error(`Cannot serve: ${program} has made no socket: ${complaint}`);
      await Promise.race([sleep(POLL_MS), failed]);
    }
    return new ServerProcess(child, socket);
  }

  /** @param name - An export; none for the default one. */
  uri(name = ''): string {
    return `nbd+unix:///${name}?socket=${this.#socket}`;
  }

  /** Time of all its threads until now, in microseconds. */
  cpuUs(): number {
    const text = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_US;
  }

  /** Resident memory, in MiB: now and at its peak. */
  memoryMib(): { readonly now: number; readonly peak: number } {
    const text = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    const kib = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1]);
    return { now: kib('VmRSS') / 1024, peak: kib('VmHWM') / 1024 };
  }

  /** Ends it in order, and waits for that. */
  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    const ended = new Promise<void>((done) => this.#child.once('exit', () => done()));
    this.#child.kill('SIGTERM');
    await ended;
  }
}
