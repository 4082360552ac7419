import { StateError } from '../base/index.ts';
import { type Pool, receiveVolume, sendVolume } from '../pool/index.ts';

/** What is asked of a pool, by name and parameters, here or through a server's control socket. Everything in it can be JSON. */
export type MethodParams = Readonly<Record<string, unknown>>;

/** What who serves a pool has to do with its methods. */
export interface MethodHooks {
  /** @throws {StateError} when clients use the volume: it can't be changed under them. */
  readonly refuseUsed?: (action: string, name: string) => void;
  /** Names or volumes have changed. */
  readonly changed?: () => Promise<void>;
}

type Method = (params: Params) => Promise<unknown> | unknown;

/** The methods of a pool: the one way in which commands work on it, whether it is served or not. */
export class PoolMethods {
  readonly #pool: Pool;
  readonly #hooks: MethodHooks;
  readonly #methods: Readonly<Record<string, Method>>;
  #nrTemporary = 0;

  constructor(pool: Pool, hooks: MethodHooks = {}) {
    this.#pool = pool;
    this.#hooks = hooks;
    this.#methods = {
      status: () => pool.status(),
      list: () => pool.volumes(),
      create: (p) => pool.createVolume(p.text('name'), { sizeBytes: p.number('sizeBytes') }),
      snapshot: (p) => pool.createSnapshot(p.text('origin'), p.text('name'), { writable: p.flag('writable') }),
      rollback: (p) => this.#unused('roll back', p, 'name', () => pool.rollback(p.text('name'), p.text('to'))),
      merge: (p) => {
        this.#refuseUsed('merge', p.text('snapshot'));
        return this.#unused('merge into', p, 'into', () => pool.merge(p.text('snapshot'), p.text('into')));
      },
      delete: (p) => this.#unused('delete', p, 'name', () => pool.deleteVolume(p.text('name'))),
      rename: (p) => this.#unused('rename', p, 'name', () => pool.renameVolume(p.text('name'), p.text('to'))),
      protect: (p) => this.#unused('protect', p, 'name', () => pool.protect(p.text('name'), p.flag('readOnly'))),
      resize: (p) => {
        const [name, sizeBytes] = [p.text('name'), p.number('sizeBytes')];
        // Clients that are connected go on with the size that they were told.
        if (sizeBytes < pool.record(name).sizeBytes) this.#refuseUsed('shrink', name);
        return pool.resizeVolume(name, sizeBytes);
      },
      grow: (p) => pool.grow(p.number('sizeBytes')),
      flush: () => pool.flush(),
    };
  }

  /** @throws {StateError} when there is no such method; {@link TypeError} for wrong parameters; else as the pool's own. */
  async call(method: string, params: MethodParams = {}): Promise<unknown> {
    if (!Object.hasOwn(this.#methods, method)) throw new StateError(`Cannot do "${method}": there is no such method`);
    const result = await this.#methods[method]!(new Params(method, params));
    if (method !== 'status' && method !== 'list' && method !== 'flush') await this.#hooks.changed?.();
    return result ?? null;
  }

  /**
   * The stream of a volume; what is writable is sent as it is now, by way of a snapshot for the time being.
   * @param params - `name`, and for a difference `base`, to go on `from`.
   */
  async *send(params: MethodParams): AsyncGenerator<Uint8Array, void, undefined> {
    const p = new Params('send', params);
    const name = p.text('name');
    const base = params.base === undefined ? {} : { base: p.text('base') };
    const from = params.from === undefined ? {} : { from: p.number('from') };
    if (this.#pool.record(name).readOnly) {
      yield* sendVolume(this.#pool, name, { ...base, ...from });
      return;
    }
    const temporary = this.#temporaryName(name);
    await this.#pool.createSnapshot(name, temporary, { temporary: true });
    try {
      yield* sendVolume(this.#pool, temporary, { ...base, ...from });
    } finally {
      await this.#pool.deleteVolume(temporary);
    }
  }

  /** Receives a stream. @param params - `name`, `writable`. */
  async receive(
    params: MethodParams,
    source: AsyncIterable<Uint8Array>,
    onProgress?: (done: number, total: number) => void,
  ): Promise<unknown> {
    const p = new Params('receive', params);
    const options = { writable: p.flag('writable'), ...(onProgress === undefined ? {} : { onProgress }) };
    try {
      return await receiveVolume(this.#pool, p.text('name'), source, options);
    } finally {
      await this.#hooks.changed?.();
    }
  }

  /** A name that nobody has; nor may it be given twice before the first one has its volume. */
  #temporaryName(name: string): string {
    for (;;) {
      const temporary = `${name.slice(0, 90)}@sending-${this.#nrTemporary++}`;
      if (!this.#pool.has(temporary)) return temporary;
    }
  }

  #refuseUsed(action: string, name: string): void {
    this.#hooks.refuseUsed?.(action, name);
  }

  #unused(action: string, params: Params, name: string, change: () => Promise<void>): Promise<void> {
    this.#refuseUsed(action, params.text(name));
    return change();
  }
}

/** Parameters, checked as they are taken. */
class Params {
  readonly #method: string;
  readonly #values: MethodParams;

  constructor(method: string, values: MethodParams) {
    this.#method = method;
    this.#values = values;
  }

  text(name: string): string {
    const value = this.#values[name];
    if (typeof value !== 'string') throw this.#wrong(name, 'a text');
    return value;
  }

  number(name: string): number {
    const value = this.#values[name];
    if (!(Number.isSafeInteger(value) && (value as number) >= 0)) throw this.#wrong(name, 'an integer');
    return value as number;
  }

  flag(name: string): boolean {
    const value = this.#values[name] ?? false;
    if (typeof value !== 'boolean') throw this.#wrong(name, 'true or false');
    return value;
  }

  #wrong(name: string, wanted: string): TypeError {
    return new TypeError(`Cannot do "${this.#method}": parameter ${name} has to be ${wanted}`);
  }
}
