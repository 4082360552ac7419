import { StateError } from '../base/index.ts';
import { DEFAULT_BLOCK_SIZE, type NbdExport } from './export.ts';
import { BOUNDS } from './protocol.ts';

/** How an export is offered. */
export interface ExportOptions {
  /** Whether it is missing from the list; a client that knows the name can use it. Default: false. */
  readonly hidden?: boolean;
  /** Whether a client that gives no name gets it. Default: false. */
  readonly isDefault?: boolean;
}

/** An export under its name. */
export interface NamedExport {
  readonly name: string;
  readonly export: NbdExport;
  readonly hidden: boolean;
}

/** Exports by name. May change while clients are there; who is told is the server's business. */
export class ExportTable {
  readonly #byName = new Map<string, NamedExport>();
  #default: string | undefined;

  /**
   * Offers an export.
   *
   * @param name - UTF-8 of 1 to 4096 bytes without NUL; or the empty name, which makes it the default.
   * @throws {RangeError} for a name that the protocol can't carry, sizes that it forbids, or an object that lacks a method it needs.
   * @throws {StateError} when the name is taken.
   */
  add(name: string, served: NbdExport, options: ExportOptions = {}): void {
    checkName(name);
    checkExport(name, served);
    if (this.#byName.has(name)) throw new StateError(`Cannot export ${JSON.stringify(name)}: the name is taken`);
    this.#byName.set(name, { name, export: served, hidden: options.hidden ?? false });
    if (options.isDefault === true) this.#default = name;
  }

  /** Stops offering an export. @returns What it was; `undefined` when there was none. */
  remove(name: string): NbdExport | undefined {
    const found = this.#byName.get(name);
    this.#byName.delete(name);
    if (this.#default === name) this.#default = undefined;
    return found?.export;
  }

  /** The export of that exact name; for the empty name the default one. */
  find(name: string): NamedExport | undefined {
    return this.#byName.get(name === '' ? (this.#default ?? '') : name);
  }

  /** What is not hidden, in the order in which it was added. */
  *list(): IterableIterator<NamedExport> {
    for (const entry of this.#byName.values()) if (!entry.hidden) yield entry;
  }

  get size(): number {
    return this.#byName.size;
  }
}

function checkName(name: string): void {
  if (name.includes('\0') || !name.isWellFormed() || Buffer.byteLength(name) > BOUNDS.stringBytes) {
    throw new RangeError('Cannot export: a name has at most 4096 bytes of UTF-8, without NUL');
  }
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

function checkExport(name: string, served: NbdExport): void {
  const refuse = (text: string) => new RangeError(`Cannot export ${JSON.stringify(name)}: ${text}`);
  if (!Number.isSafeInteger(served.size) || served.size < 0) throw refuse(`size is ${served.size}`);
  const { min, preferred, max } = served.blockSize ?? DEFAULT_BLOCK_SIZE;
  if (!isPowerOfTwo(min) || min < 1 || min > 65536) throw refuse(`min block size is ${min}`);
  if (!isPowerOfTwo(preferred) || preferred < Math.max(min, 512)) throw refuse(`preferred block size is ${preferred}`);
  if (!Number.isInteger(max) || max < preferred || max > BOUNDS.payloadBytes)
    throw refuse(`max block size is ${max}, at most ${BOUNDS.payloadBytes} is possible`);
  if (served.size % min !== 0) throw refuse(`size ${served.size} is no multiple of the min block size ${min}`);
  if (!served.readOnly && served.write === undefined) throw refuse('it is writable and has no write');
  const contexts = served.contexts ?? [];
  if (contexts.length > 0 && served.blockStatus === undefined) throw refuse('it has contexts and no blockStatus');
}
