import { join } from 'node:path';
import { StateError } from '../base/index.ts';
import {
  type NbdLogEvent,
  NbdServer,
  type NbdServerOptions,
  type PatienceOptions,
  type TcpAddress,
  unixSocketPath,
} from '../nbd/index.ts';
import { POOL_FILES, type Pool } from '../pool/index.ts';
import { ControlServer } from './control-server.ts';
import { PoolMethods } from './pool-methods.ts';
import { VolumeExport } from './volume-export.ts';
import { NamedSource } from './volume-source.ts';

export interface PoolServerOptions extends NbdServerOptions {
  /** Names of the volumes to export. Default: all, also those that are made later. */
  readonly exports?: readonly string[];
  /** Nothing can be written by clients. Default: false, and snapshots are read-only in any case. */
  readonly readOnly?: boolean;
}

/** The path of the socket for NBD of a pool in a folder. @throws {UnsupportedError} when it is too long for the system. */
export function poolSocketPath(folder: string): string {
  return unixSocketPath(join(folder, POOL_FILES.run, 'nbd.sock'));
}

/** The path of a pool's control socket. */
export function controlSocketPath(folder: string): string {
  return unixSocketPath(join(folder, POOL_FILES.run, 'control.sock'));
}

/**
 * Serves the volumes of a pool over NBD, by name, and its methods on a control socket, so that other processes can make snapshots of what is served. What
 * is made, renamed or deleted is exported, or not, at once.
 *
 * The pool is its opener's, who closes it after the server.
 */
export class PoolServer {
  readonly nbd: NbdServer;
  readonly methods: PoolMethods;
  readonly #pool: Pool;
  readonly #options: PoolServerOptions;
  readonly #exports = new Map<number, { readonly name: string; readonly served: VolumeExport }>();
  readonly #unwatch: () => void;
  #control: ControlServer | undefined;
  #isClosed = false;

  /** @throws {StateError} when one of `exports` is not there. */
  constructor(pool: Pool, options: PoolServerOptions = {}) {
    this.#pool = pool;
    this.#options = options;
    for (const name of options.exports ?? []) pool.record(name);
    this.nbd = new NbdServer({ ...options, log: (event) => this.#heard(event) });
    this.methods = new PoolMethods(pool, {
      refuseUsed: (action, name) => this.#refuseUsed(action, name),
      changed: () => this.#syncExports(),
    });
    this.#addExports();
    // Also what the program itself does to the pool. Who asks by a method is answered when it is done.
    this.#unwatch = pool.watch(() => {
      this.#syncExports().catch((error: Error) => {
        options.log?.({ level: 'error', event: 'failed', message: error.message });
      });
    });
  }

  /** Names that are exported. */
  get exportNames(): string[] {
    return [...this.#exports.values()].map(({ name }) => name);
  }

  /** Listens for NBD on a unix socket; by default in the pool's folder. Answers its path. */
  async listenUnix(path?: string): Promise<string> {
    const where = path ?? poolSocketPath(this.#folder());
    await this.nbd.listenUnix(where);
    return where;
  }

  /** Listens for NBD on TCP. */
  listenTcp(address: TcpAddress): Promise<{ readonly host: string; readonly port: number }> {
    return this.nbd.listenTcp(address);
  }

  /** Listens for commands in the pool's folder. Answers the socket's path. */
  async listenControl(): Promise<string> {
    const path = controlSocketPath(this.#folder());
    const control = new ControlServer(this.methods, this.#pool.uuid);
    await control.listen(path);
    this.#control = control;
    return path;
  }

  /**
   * Ends orderly: commands and requests under way are finished, volumes closed. What has not ended in time, as it waits for data space, fails unanswered. The
   * pool stays open, and flushes what was answered when it is closed. Idempotent.
   */
  async close(options: PatienceOptions = {}): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unwatch();
    await this.#control?.close(options);
    await this.nbd.close(options);
    for (const { served } of this.#exports.values()) served.release();
  }

  #folder(): string {
    const { folder } = this.#pool;
    if (folder === undefined) throw new StateError('Cannot listen: the pool is in no folder, a path is wanted');
    return folder;
  }

  #addExports(): void {
    const { exports: wanted, readOnly = false } = this.#options;
    for (const record of this.#pool.records()) {
      const { id, name } = record;
      const isWanted = (wanted === undefined || wanted.includes(name)) && !record.temporary;
      if (!isWanted || record.receivedTo !== undefined || this.#exports.has(id)) continue;
      const source = new NamedSource(this.#pool, record, { readOnly: readOnly || this.#pool.readOnly });
      const served = new VolumeExport(source);
      this.nbd.add(name, served, { isDefault: this.#exports.size === 0 });
      this.#exports.set(id, { name, served });
    }
  }

  async #syncExports(): Promise<void> {
    for (const [id, { name, served }] of this.#exports) {
      if (this.#pool.recordOf(id)?.name === name) continue;
      this.#exports.delete(id);
      await this.nbd.remove(name, { graceMs: 0 });
      served.release();
    }
    this.#addExports();
  }

  #refuseUsed(action: string, name: string): void {
    const nrUsers = this.nbd.nrUsers(name);
    if (nrUsers > 0) {
      const who = nrUsers === 1 ? '1 client is' : `${nrUsers} clients are`;
      throw new StateError(`Cannot ${action} volume "${name}": ${who} connected to it`);
    }
    // It may still be open, by a client that has just gone.
    const record = this.#pool.records().find((row) => row.name === name);
    if (record !== undefined) this.#exports.get(record.id)?.served.release();
  }

  #heard(event: NbdLogEvent): void {
    if (event.event === 'disconnected') this.#releaseUnused();
    this.#options.log?.(event);
  }

  #releaseUnused(): void {
    if (this.#isClosed) return;
    for (const { name, served } of this.#exports.values()) {
      if (served.isOpen && this.nbd.nrUsers(name) === 0) served.release();
    }
  }
}
