/** A pool as commands work on it: through its server when it is served, else opened by the command itself. So there is one writer. */

import { LockedError } from 'persistent-data';
import { monotonicMs } from 'persistent-data/base';
import { kindOfFolder, Pool } from 'persistent-data/pool';
import { ControlClient, controlSocketPath, type MethodParams, PoolMethods } from 'persistent-data/pool-server';
import { Interruption } from './interruption.ts';

/** A server that begins has the files before it has its socket. */
const PATIENCE_MS = 3000;
const NAP_MS = 100;

export interface PoolSession {
  /** Process of the server; `undefined` when the pool is not served. */
  readonly server: number | undefined;
  call(method: string, params?: MethodParams): Promise<unknown>;
  send(params: MethodParams): AsyncGenerator<Uint8Array, void, undefined>;
  receive(params: MethodParams, source: AsyncIterable<Uint8Array>): Promise<unknown>;
  close(): Promise<void>;
}

/** Opens a pool for a command. @param options.readOnly - The command changes nothing. */
async function openPoolSession(
  folder: string,
  options: { readonly readOnly: boolean },
  interruption: Interruption,
): Promise<PoolSession> {
  const begin = monotonicMs();
  for (;;) {
    interruption.check();
    const served = kindOfFolder(folder) === 'pool' ? await ControlClient.connect(controlSocketPath(folder)) : undefined;
    if (served !== undefined) return new ServedPool(served);
    try {
      // Nobody could give it more space while it is open here.
      return new OpenedPool(Pool.open(folder, { ...options, errorIfNoSpace: true }));
    } catch (error) {
      if (!(error instanceof LockedError) || monotonicMs() - begin > PATIENCE_MS) throw error;
      await new Promise((done) => setTimeout(done, NAP_MS));
    }
  }
}

/** Does one thing with a pool and closes it. */
export async function withPool<R>(
  folder: string,
  options: { readonly readOnly: boolean },
  work: (session: PoolSession, interruption: Interruption) => Promise<R>,
): Promise<R> {
  const interruption = await Interruption.watch();
  try {
    const session = await openPoolSession(folder, options, interruption);
    try {
      return await work(interruptible(session, interruption), interruption);
    } finally {
      await session.close();
    }
  } finally {
    interruption.end();
  }
}

/**
 * Streams end at Ctrl-C: what they had begun is tidied up, or goes on later. So does waiting for a server, which does the same when the connection ends. What
 * the program itself does with a pool is finished.
 */
function interruptible(session: PoolSession, interruption: Interruption): PoolSession {
  const isServed = session.server !== undefined;
  const patiently = <T>(promise: Promise<T>): Promise<T> => (isServed ? interruption.race(promise) : promise);
  return {
    server: session.server,
    call: (method, params) => patiently(session.call(method, params)),
    send: (params) => interruption.watched(session.send(params), { mayStick: isServed }),
    receive: (params, source) => patiently(session.receive(params, interruption.watched(source, { mayStick: true }))),
    close: () => session.close(),
  };
}

class ServedPool implements PoolSession {
  readonly server: number;
  readonly #client: ControlClient;

  constructor(client: ControlClient) {
    this.#client = client;
    this.server = client.greeting.pid;
  }

  call(method: string, params?: MethodParams): Promise<unknown> {
    return this.#client.call(method, params);
  }

  send(params: MethodParams): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#client.send(params);
  }

  receive(params: MethodParams, source: AsyncIterable<Uint8Array>): Promise<unknown> {
    return this.#client.receive(params, source);
  }

  async close(): Promise<void> {
    this.#client.close();
  }
}

class OpenedPool implements PoolSession {
  readonly server = undefined;
  readonly #pool: Pool;
  readonly #methods: PoolMethods;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#methods = new PoolMethods(pool);
  }

  call(method: string, params?: MethodParams): Promise<unknown> {
    return this.#methods.call(method, params);
  }

  send(params: MethodParams): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#methods.send(params);
  }

  receive(params: MethodParams, source: AsyncIterable<Uint8Array>): Promise<unknown> {
    return this.#methods.receive(params, source);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
