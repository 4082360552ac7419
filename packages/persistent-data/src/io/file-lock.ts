import { DeviceError, LockedError, type LockHolder, unixMs } from '../base/index.ts';
import { type FoundLock, findLock, type LockRecord } from './lock-record.ts';
import { builtinModule } from './platform.ts';
import { isGone, isVisible, thisProcess } from './process-identity.ts';
import { removeFile } from './remove-file.ts';
import { deviceError, systemCode } from './system-error.ts';

/*
 * How the lock of a gone process is taken over without two takers both holding it:
 *
 * - A lock file appears whole or not at all: its record is written to a file of its own name, which is then linked to the
 *   lock's name. link fails when the name exists; so of two processes that find no lock, one gets it.
 * - A stale lock file is replaced, by rename, only by a process that holds `FILE.lock.takeover`, a lock of the same kind, and
 *   that has found the same stale record again after it got that lock. Nobody else may change a stale lock file: its owner is
 *   gone, and link refuses. So what is replaced is what was judged.
 * - A taker that dies in between leaves a stale takeover lock, which is taken over in the same way, one level deeper.
 */

/** Takers that died one after the other, each while taking over from the one before. More than this is no accident. */
const MAX_DEPTH = 4;

/** How often a lock is tried that others take and release in between. */
const MAX_ATTEMPTS = 100;

/** The locks that this thread has, or is about to get. */
const held = new Set<FileLock>();

/** The names and the record with which one lock is asked for. */
interface Wanted {
  /** The file that is to be locked. */
  readonly file: string;
  readonly lockPath: string;
  readonly record: LockRecord;
  /** 0 for the lock itself, more for takeover locks. */
  readonly depth: number;
}

/**
 * The writer's lock of a file: `FILE.lock` beside it, which says who holds it. Advisory: it stops those who ask.
 *
 * A lock whose process is gone (killed, or the machine was restarted) is taken over by the next to ask. A lock made on another
 * host or in another container never is, because nothing here can tell whether its process runs; remove the file by
 * hand. Two hard links to one file are two names and have two locks. A lock belongs to the process: it outlives a worker that
 * is terminated without a release.
 */
export class FileLock {
  /** Path of the lock file. */
  readonly path: string;
  readonly holder: LockHolder;
  readonly #token: string;
  #released = false;

  private constructor(path: string, record: LockRecord) {
    this.path = path;
    this.holder = { pid: record.pid, host: record.host, since: record.since };
    this.#token = record.token;
  }

  /**
   * Takes the lock of `file`, which need not exist. Held until {@link release}; a process that ends without leaves it stale.
   * Some file operations and one fdatasync.
   *
   * @throws {LockedError} when another process has it, or something else in this one; `holder` says who.
   * @throws {DeviceError} when the lock file cannot be made, for example in a read-only directory.
   */
  static acquire(file: string): FileLock {
    const lockPath = `${file}.lock`;
    const record = newRecord();
    const lock = new FileLock(lockPath, record);
    held.add(lock);
    try {
      acquire({ file, lockPath, record, depth: 0 });
    } catch (error) {
      held.delete(lock);
      throw error;
    }
    return lock;
  }

  /**
   * Gives back all locks that this thread has: for a program whose work was cut off in the middle, and that is about to end. Nobody may go on writing.
   */
  static releaseAll(): void {
    for (const lock of held) {
      removeFile(`${lock.path}.${lock.#token}`);
      lock.release();
    }
  }

  /**
   * Who has the lock of `file`; `undefined` when nobody has, or a process that is gone.
   *
   * @throws {LockedError} without a `holder` when there is a lock file that cannot be read as one.
   */
  static holderOf(file: string): LockHolder | undefined {
    const found = findLock(`${file}.lock`);
    if (found === undefined || isStale(found)) return undefined;
    if (found.record === undefined) throw lockedError(file, `${file}.lock`, found);
    return { pid: found.record.pid, host: found.record.host, since: found.record.since };
  }

  /** Gives the lock back. Idempotent. Leaves a lock file alone that somebody replaced by hand. */
  release(): void {
    if (this.#released) return;
    try {
      removeLock(this.path, this.#token);
    } finally {
      // Afterwards: when the work is cut off here, `releaseAll` does it again.
      held.delete(this);
      this.#released = true;
    }
  }
}

/**
 * The error for a file that `holder` has open.
 *
 * @param holder - `undefined` where that is not known.
 */
export function lockedBy(file: string, holder: LockHolder | undefined, advice = ''): LockedError {
  const who =
    holder === undefined
      ? 'an unknown process has it'
      : `process ${holder.pid} on ${holder.host} has it open since ${holder.since}`;
  return new LockedError(`Cannot lock ${file}: ${who}, at most one writer is possible${advice}`, holder);
}

function newRecord(): LockRecord {
  const token = globalThis.crypto.randomUUID();
  return { ...thisProcess(), since: new Date(unixMs()).toISOString(), token };
}

function isStale(found: FoundLock): boolean {
  return found.record !== undefined && isGone(found.record, thisProcess());
}

function lockedError(file: string, lockPath: string, found: FoundLock): LockedError {
  const { record } = found;
  const isKnown = record !== undefined && isVisible(record, thisProcess());
  const advice = isKnown ? '' : ` (if that process is gone for certain, remove ${lockPath})`;
  return lockedBy(file, record && { pid: record.pid, host: record.host, since: record.since }, advice);
}

function acquire(wanted: Wanted): void {
  const { file, lockPath, record, depth } = wanted;
  const own = `${lockPath}.${record.token}`;
  try {
    writeRecord(own, record);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; ++attempt) {
      if (linkOrCreate(own, lockPath, record)) return;
      const found = findLock(lockPath);
      if (found === undefined) continue;
      // Network file systems may do a link, lose the answer, do it again and report that the name exists.
      if (found.record?.token === record.token) return;
      if (depth === MAX_DEPTH || !isStale(found)) throw lockedError(file, lockPath, found);
      if (takeOver(own, wanted, found)) return;
    }
  } catch (error) {
    if (error instanceof LockedError || error instanceof DeviceError) throw error;
    throw deviceError(`lock ${file}`, error);
  } finally {
    removeFile(own);
  }
  throw lockedBy(file, undefined);
}

/** Replaces the stale lock file that was `found` by `own`. Returns false when it is no longer there. */
function takeOver(own: string, { file, lockPath, depth }: Wanted, found: FoundLock): boolean {
  const takeover: Wanted = { file, lockPath: `${lockPath}.takeover`, record: newRecord(), depth: depth + 1 };
  acquire(takeover);
  try {
    const again = findLock(lockPath);
    if (again === undefined || again.record?.token !== found.record?.token) return false;
    builtinModule('node:fs').renameSync(own, lockPath);
    return true;
  } finally {
    removeLock(takeover.lockPath, takeover.record.token);
  }
}

/** Writes a record and makes it durable, so that a power failure cannot leave a lock that nobody can read. */
function writeRecord(path: string, record: LockRecord): void {
  const fs = builtinModule('node:fs');
  const fd = fs.openSync(path, 'wx', 0o644);
  try {
    fs.writeSync(fd, `${JSON.stringify(record)}\n`);
    fs.fdatasyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Makes `own` appear under the lock's name too. Returns false when that name exists. */
function linkOrCreate(own: string, lockPath: string, record: LockRecord): boolean {
  try {
    builtinModule('node:fs').linkSync(own, lockPath);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
  }
  // A file system without hard links, such as FAT. As exclusive, but a crash within can leave a lock that nobody can read.
  try {
    writeRecord(lockPath, record);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function removeLock(lockPath: string, token: string): void {
  try {
    if (findLock(lockPath)?.record?.token !== token) return;
  } catch (error) {
    throw deviceError(`read ${lockPath}`, error);
  }
  removeFile(lockPath);
}
