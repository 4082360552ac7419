import { chmodSync, lstatSync, mkdirSync, statSync, unlinkSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { DeviceError, LockedError, StateError, UnsupportedError } from '../base/index.ts';
import { MAX_PATH_BYTES, tooLong } from './socket-path.ts';

/** What is needed of a `net.Server`; said so that declarations do without the types of Node. */
export interface UnixListener {
  listen(path: string, onListening: () => void): unknown;
  once(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
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
export async function listenUnix(server: UnixListener, path: string): Promise<void> {
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

function listenPrivately(server: UnixListener, path: string): Promise<void> {
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
