/** Runs the built program and sends it SIGINT while it is known to be at work. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { BIN } from './program.ts';

/** How a program ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** What tells that a program is at work. */
export type Sign =
  /** The file is there, and has something in it. Where it is a lock, the work is not over as long as it is there. */
  | { readonly file: string }
  /** It has said something, and waits for somebody to read the rest of it. */
  | 'stdout'
  | 'stderr';

/** As long as a machine may be too busy to catch a program in the middle. */
const ATTEMPTS = 10;

/**
 * Starts the program and interrupts it when it gives the sign. `begin` comes before each attempt: one that was found to have done its work already is not
 * counted. The program is stopped while that is looked at, so that what is true then is true when it gets the signal.
 */
export async function interruptWhen(sign: Sign, argv: readonly string[], begin: () => void): Promise<Ending> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    begin();
    const child = spawn(process.execPath, [BIN, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ending = endingOf(child);
    // Who waits for output leaves it in the pipe.
    if (sign !== 'stdout') child.stdout.resume();
    await given(sign, child);
    child.kill('SIGSTOP');
    const isAtWork = (await isStopped(child)) && (typeof sign === 'string' || isThere(sign.file));
    if (isAtWork) child.kill('SIGINT');
    child.kill(isAtWork ? 'SIGCONT' : 'SIGKILL');
    child.stdout.resume();
    const how = await ending;
    if (isAtWork) return how;
  }
  throw new Error(`${argv[0]} was never caught at work`);
}

function endingOf(child: ChildProcess): Promise<Ending> {
  let stderr = '';
  child.stderr?.on('data', (text) => {
    stderr += text;
  });
  return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, stderr })));
}

/** Files are looked for as often as can be, so that they are found early. */
function given(sign: Sign, child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    if (typeof sign === 'string') {
      child[sign]?.once('readable', resolve);
      return;
    }
    const look = (): void => {
      if (child.exitCode !== null || isThere(sign.file)) resolve();
      else setImmediate(look);
    };
    look();
  });
}

function isThere(file: string): boolean {
  return existsSync(file) && statSync(file).size > 0;
}

/** Waits until it is stopped, or has ended. Where the system does not tell, the signals that follow come in order all the same. */
async function isStopped(child: ChildProcess): Promise<boolean> {
  const status = `/proc/${child.pid}/stat`;
  for (;;) {
    const [, state] = /\) (\S)/.exec(readStatus(status)) ?? [];
    if (state === 'T') return true;
    if (child.exitCode !== null || state === 'Z') return false;
    if (state === undefined) return process.platform !== 'linux';
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function readStatus(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
