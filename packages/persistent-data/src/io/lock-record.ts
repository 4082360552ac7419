import { builtinModule } from './platform.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { systemCode } from './system-error.ts';

/** What a lock file holds, as one line of JSON. */
export interface LockRecord extends ProcessIdentity {
  /** When the lock was taken: ISO 8601, UTC. */
  readonly since: string;
  /** Random; no two locks have the same. */
  readonly token: string;
}

/** A lock file that exists; `record` is `undefined` when it cannot be read as one. */
export interface FoundLock {
  readonly record: LockRecord | undefined;
}

/**
 * Reads a lock file.
 *
 * @returns `undefined` when there is none.
 * @throws {Error} of the system when it exists and cannot be read.
 */
export function findLock(lockPath: string): FoundLock | undefined {
  try {
    return { record: parseLockRecord(builtinModule('node:fs').readFileSync(lockPath, 'utf8')) };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A lock file's text as a record; `undefined` when it is none. */
export function parseLockRecord(text: string): LockRecord | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof found !== 'object' || found === null) return undefined;
  const { pid, host, since, token, startTime, bootId, pidNamespace } = found as Record<string, unknown>;
  // A pid of 0 or below would mean a group of processes.
  if (!Number.isInteger(pid) || (pid as number) <= 0) return undefined;
  if (typeof host !== 'string' || typeof since !== 'string' || typeof token !== 'string') return undefined;
  return {
    pid: pid as number,
    host,
    since,
    token,
    startTime: textOrNothing(startTime),
    bootId: textOrNothing(bootId),
    pidNamespace: textOrNothing(pidNamespace),
  };
}

function textOrNothing(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
