import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, statSync, unlinkSync } from 'node:fs';
import { createConnection, type Server } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { DeviceError, LockedError, StateError, UnsupportedError } from '../base/index.ts';

/** Longest path of a unix socket in bytes; the system silently cuts longer ones. */
const MAX_PATH_BYTES = 107;

/**
 * A path for a unix socket: the one that is wanted, or, when that is too long for the system, one in `XDG_RUNTIME_DIR` that is made from it and
 * always the same.
 *
 * @throws {UnsupportedError} when it is too long and there is no other place.
 */
export function unixSocketPath(wanted: string, runtimeFolder = process.env.XDG_RUNTIME_DIR): string {
  if (Buffer.byteLength(wanted) <= MAX_PATH_BYTES) return wanted;
  const digest = createHash('sha256').update(resolve(wanted)).digest('hex').slice(0, 16);
  const other = join(runtimeFolder ?? '', 'persistent-data', `${digest}.sock`);
  if (runtimeFolder && Buffer.byteLength(other) <= MAX_PATH_BYTES) return other;
  throw tooLong(wanted);
}

function tooLong(path: string): UnsupportedError {
  const length = Buffer.byteLength(path);
  return new UnsupportedError(
    `Cannot listen on ${path}: ${length} bytes, a socket's path has at most ${MAX_PATH_BYTES}`,
  );
}

/**
 * Makes a server listen on a unix socket that only this user can connect to (mode 0600). Missing folders are made, with mode 0700. A
 * socket that nobody listens on any more is removed; whatever else is there stays.
 *
 * @throws {UnsupportedError} when the path is too long; or in a worker, which can't set the umask, when the folder is open to others.
 * @throws {LockedError} when somebody listens there.
 * @throws {StateError} when something is there that is no socket.
 * @throws {DeviceError} when the system refuses.
 */
export async function listenUnix(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw tooLong(path);
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isMainThread && (statSync(folder).mode & 0o077) !== 0) {
      throw new UnsupportedError(
        `Cannot listen on ${path} in a worker: its folder is open to others, mode 0700 is wanted`,
      );
    }
    await removeStale(path);
    await listenPrivately(server, path);
    chmodSync(path, 0o600);
  } catch (cause) {
    if (cause instanceof LockedError || cause instanceof StateError || cause instanceof UnsupportedError) throw cause;
    throw new DeviceError(`Cannot listen on ${path}: ${(cause as Error).message}`, { cause });
  }
}

function listenPrivately(server: Server, path: string): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    // The socket is made inside of this call, so that the umask holds for nothing else.
    const umask = isMainThread ? process.umask(0o077) : undefined;
    try {
      server.listen(path, () => {
        server.off('error', fail);
        done();
      });
    } finally {
      if (umask !== undefined) process.umask(umask);
    }
  });
}

/** Removes a socket that refuses connections. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new StateError(`Cannot listen on ${path}: something is there that is no socket`);
  const code = await new Promise<string | undefined>((done) => {
    const probe = createConnection(path, () => {
      probe.destroy();
      done(undefined);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => done(error.code));
  });
  if (code === undefined || code === 'EAGAIN') throw new LockedError(`Cannot listen on ${path}: another server does`);
  if (code === 'ECONNREFUSED') unlinkSync(path);
  else if (code !== 'ENOENT') throw new DeviceError(`Cannot listen on ${path}: trying to connect gave ${code}`);
}
