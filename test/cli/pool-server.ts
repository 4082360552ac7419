/** A server of the built program, for tests that play its clients. */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const BIN = join(import.meta.dirname, '../../packages/pdata/dist/main.js');

/** Whether a program of the system is there; says so aloud where it is not. */
export function hasProgram(name: string): boolean {
  const isThere = spawnSync(name, ['--version']).error === undefined;
  if (!isThere) process.stderr.write(`skipped: tests with ${name}, which is not installed\n`);
  return isThere;
}

/** A server that runs, and the JSON lines that it has printed. */
export class RunningServer {
  readonly events: Record<string, unknown>[] = [];
  stderr = '';
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown[]>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exit = once(child, 'exit');
  }

  /** Starts `pdata serve` and waits until it serves. */
  static async start(argv: readonly string[], cwd: string): Promise<RunningServer> {
    const child = spawn(process.execPath, [BIN, 'serve', '--json', ...argv], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const server = new RunningServer(child);
    let rest = '';
    await new Promise<void>((done, fail) => {
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        server.stderr += text;
      });
      child.stdout!.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop()!;
        for (const line of lines) server.events.push(JSON.parse(line) as Record<string, unknown>);
        if (server.event('serving') !== undefined) done();
      });
      child.once('exit', () => fail(new Error(`the server ended: ${server.stderr}`)));
    });
    return server;
  }

  event(name: string): Record<string, unknown> | undefined {
    return this.events.find(({ event }) => event === name);
  }

  /** The URI of an export. */
  uri(name: string): string {
    return (this.event('serving')!.uri as string).replace(/\/\/\/[^?]*/, `///${name}`);
  }

  /** Sends a signal and waits for the end. Answers the exit code, or the signal that ended it. */
  async stop(signal: NodeJS.Signals): Promise<unknown> {
    this.#child.kill(signal);
    const [code, by] = await this.#exit;
    return code ?? by;
  }
}

/** Runs a client, and answers what it prints. @throws when it fails. */
export function client(program: string, ...argv: string[]): string {
  return execFileSync(program, argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
