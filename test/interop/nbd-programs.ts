/** Runs NBD programs of others beside our server or client, which live in this process: nothing may block it. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** How a program ended. */
export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(program: string, args: readonly string[]): Promise<Ended> {
  try {
    const { stdout, stderr } = await execute(program, args, { maxBuffer: 1 << 26, timeout: 60_000 });
    return { status: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string };
    return { status: typeof code === 'number' ? code : -1, stdout, stderr };
  }
}

/** Whether somebody listens there. A socket's file is there a moment sooner, and may stay when its server has gone. */
function isListening(socket: string): Promise<boolean> {
  return new Promise((done) => {
    const probe = connect(socket, () => {
      probe.destroy();
      done(true);
    });
    probe.once('error', () => done(false));
  });
}

/** Starts a server of others, and waits until it listens. @returns A function that ends it. */
export async function start(
  program: string,
  args: readonly string[],
  socket: string,
): Promise<(signal?: 'SIGTERM' | 'SIGKILL') => Promise<void>> {
  rmSync(socket, { force: true });
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr!.on('data', (text) => {
    said += text;
  });
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  while (!(await isListening(socket))) {
    if (child.exitCode !== null) throw new Error(`${program} does not listen: ${said}`);
    await new Promise((done) => setTimeout(done, 5));
  }
  return async (signal = 'SIGTERM') => {
    child.kill(signal);
    await ended;
  };
}
