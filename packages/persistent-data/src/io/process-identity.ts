import { builtinModule } from './platform.ts';
import { systemCode } from './system-error.ts';

/** Enough to tell, later and from another process, whether a process still runs. `undefined`: the platform does not say. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** When it was started, in clock ticks since boot: tells it from a later process with the same pid. */
  readonly startTime: string | undefined;
  /** One for each start of the machine. */
  readonly bootId: string | undefined;
  /** The set of processes that `pid` counts in: containers have sets of their own. */
  readonly pidNamespace: string | undefined;
}

/** Who this process is. Costs three small reads of `/proc` where there is one. */
export function thisProcess(): ProcessIdentity {
  return {
    pid: process.pid,
    host: builtinModule('node:os').hostname(),
    startTime: readStat(process.pid)?.startTime,
    bootId: textOf(() => builtinModule('node:fs').readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()),
    pidNamespace: textOf(() => builtinModule('node:fs').readlinkSync('/proc/self/ns/pid')),
  };
}

/**
 * Whether `observer` can tell if a process runs. It cannot when that is on another host, or in another container: then the pid
 * means nothing here. It can when the machine was started anew since: nothing runs on.
 */
export function isVisible(other: ProcessIdentity, observer: ProcessIdentity): boolean {
  if (other.host !== observer.host) return false;
  return differ(other.bootId, observer.bootId) || !differ(other.pidNamespace, observer.pidNamespace);
}

/**
 * Whether a process is certainly gone, as seen from `observer`. False when it runs, and when that cannot be known: it is not
 * visible, or its pid is in use and nothing tells the two apart.
 */
export function isGone(other: ProcessIdentity, observer: ProcessIdentity): boolean {
  if (!isVisible(other, observer)) return false;
  if (differ(other.bootId, observer.bootId) || !pidIsInUse(other.pid)) return true;
  const stat = readStat(other.pid);
  // No stat although the pid is in use: /proc is absent, or hides the processes of other users.
  if (stat === undefined) return false;
  return stat.isDead || differ(stat.startTime, other.startTime);
}

function differ(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && a !== b;
}

function pidIsInUse(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}

interface ProcessStat {
  readonly startTime: string;
  /** It has exited and its parent has not asked for its status yet. */
  readonly isDead: boolean;
}

/** Fields 3 and 22 of `/proc/PID/stat`. Field 2 is the program's name in parentheses and may itself hold `)` and spaces. */
function readStat(pid: number): ProcessStat | undefined {
  const fs = builtinModule('node:fs');
  const text = textOf(() => fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const startTime = fields[22 - 3];
  if (startTime === undefined) return undefined;
  // A process whose first thread has ended looks like a dead one while its other threads run.
  const isDead =
    (fields[0] === 'Z' || fields[0] === 'X') && textOf(() => `${fs.readdirSync(`/proc/${pid}/task`).length}`) === '1';
  return { startTime, isDead };
}

function textOf(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
