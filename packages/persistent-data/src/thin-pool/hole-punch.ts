import { builtinModule } from '../io/platform.ts';
import type { ByteRange } from './data-device.ts';

/** The program of util-linux; Node has no call that punches holes. */
const PROGRAM = 'fallocate';

/** One process for many ranges: the shell reads an offset and a length from each line, the file is its descriptor 3. */
const SCRIPT = `while read -r offset length; do ${PROGRAM} --punch-hole --offset "$offset" --length "$length" /dev/fd/3 || exit 1; done`;

/** Whether the program is there. */
export function hasPunchProgram(): boolean {
  const path = process.env.PATH ?? '';
  const { accessSync, constants } = builtinModule('node:fs');
  const { join } = builtinModule('node:path');
  return path.split(':').some((folder) => {
    if (folder === '') return false;
    try {
      accessSync(join(folder, PROGRAM), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Punches one hole as {@link punchFile} does, and waits for it: 3 ms, and more where the file has much there. */
export function punchFileNow(fd: number, { offset, length }: ByteRange): boolean {
  const { spawnSync } = builtinModule('node:child_process');
  const argv = ['--punch-hole', '--offset', `${offset}`, '--length', `${length}`, '/dev/fd/3'];
  return spawnSync(PROGRAM, argv, { stdio: ['ignore', 'ignore', 'ignore', fd] }).status === 0;
}

/**
 * Punches holes into an open file, in another process. Answers whether all was done; a file system that can't, or a program that is not there,
 * is `false`.
 */
export function punchFile(fd: number, ranges: readonly ByteRange[]): Promise<boolean> {
  const { spawn } = builtinModule('node:child_process');
  return new Promise((resolve) => {
    try {
      const child = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore', fd] });
      child.once('error', () => resolve(false));
      child.once('close', (code) => resolve(code === 0));
      // A shell that ended early closes its end; its code says so.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(ranges.map(({ offset, length }) => `${offset} ${length}\n`).join(''));
    } catch {
      // No process can be started just now.
      resolve(false);
    }
  });
}
