import {
  ALLOCATION,
  type Answer,
  CONTEXTS,
  type ExtentSink,
  type NbdBlockSize,
  NbdError,
  type NbdExport,
  SHARING,
  type WriteZeroesOptions,
} from '../nbd/index.ts';

/** What an export is asked to do. */
export interface ExportCall {
  readonly kind: 'read' | 'write' | 'flush' | 'trim' | 'writeZeroes' | 'cache' | 'blockStatus';
  readonly offset: number;
  readonly length: number;
}

export interface ModelExportOptions {
  /** Bytes. */
  readonly size: number;
  readonly readOnly?: boolean;
  readonly description?: string;
  readonly blockSize?: NbdBlockSize;
  /** Bytes that are mapped together. Default: 4096. */
  readonly unitBytes?: number;
  /** Called before anything is done: throws to make it fail, answers a promise to make it wait. */
  readonly before?: (call: ExportCall) => Answer;
}

/** An export in memory that can do all that an export can: sparse, with metadata contexts, and as slow and as faulty as a test wants. */
export class ModelExport implements NbdExport {
  readonly size: number;
  readonly readOnly: boolean;
  readonly description?: string;
  readonly blockSize?: NbdBlockSize;
  readonly canFastZero = true;
  readonly contexts = [
    CONTEXTS.allocation,
    CONTEXTS.allocationDepth,
    CONTEXTS.sharing,
    `${CONTEXTS.dirtyBitmap}changes`,
  ];
  readonly unitBytes: number;
  /** The content; zero where nothing is mapped. */
  readonly bytes: Uint8Array;
  /** Whether a unit is mapped: 0 or 1. */
  readonly mapped: Uint8Array;
  /** All that was asked, in order. */
  readonly calls: ExportCall[] = [];
  readonly #before: ((call: ExportCall) => Answer) | undefined;

  constructor(options: ModelExportOptions) {
    this.size = options.size;
    this.readOnly = options.readOnly ?? false;
    if (options.description !== undefined) this.description = options.description;
    if (options.blockSize !== undefined) this.blockSize = options.blockSize;
    this.unitBytes = options.unitBytes ?? 4096;
    this.bytes = new Uint8Array(options.size);
    this.mapped = new Uint8Array(Math.ceil(options.size / this.unitBytes));
    this.#before = options.before;
  }

  read(offset: number, into: Uint8Array): Answer {
    return this.#do({ kind: 'read', offset, length: into.byteLength }, () => {
      into.set(this.bytes.subarray(offset, offset + into.byteLength));
    });
  }

  write(offset: number, data: Uint8Array): Answer {
    return this.#do({ kind: 'write', offset, length: data.byteLength }, () => {
      this.bytes.set(data, offset);
      this.#map(offset, data.byteLength);
    });
  }

  flush(): Answer {
    return this.#do({ kind: 'flush', offset: 0, length: 0 }, () => {});
  }

  trim(offset: number, length: number): Answer {
    return this.#do({ kind: 'trim', offset, length }, () => this.#unmap(offset, length));
  }

  writeZeroes(offset: number, length: number, { noHole, fast }: WriteZeroesOptions): Answer {
    return this.#do({ kind: 'writeZeroes', offset, length }, () => {
      if (fast && noHole) throw new NbdError('ENOTSUP', 'zeroes that take space are slow');
      this.bytes.fill(0, offset, offset + length);
      if (noHole) this.#map(offset, length);
      else this.#unmap(offset, length);
    });
  }

  cache(offset: number, length: number): Answer {
    return this.#do({ kind: 'cache', offset, length }, () => {});
  }

  blockStatus(context: string, offset: number, length: number, add: ExtentSink): Answer {
    return this.#do({ kind: 'blockStatus', offset, length }, () => {
      for (let at = offset; at < offset + length; ) {
        const unit = Math.floor(at / this.unitBytes);
        const end = Math.min(this.size, (unit + 1) * this.unitBytes);
        if (!add(end - at, this.#flags(context, unit))) return;
        at = end;
      }
    });
  }

  #flags(context: string, unit: number): number {
    const isMapped = this.mapped[unit] === 1;
    if (context === CONTEXTS.allocation) return isMapped ? 0 : ALLOCATION.hole | ALLOCATION.zero;
    if (context === CONTEXTS.sharing) return isMapped && unit % 2 === 1 ? SHARING.shared : 0;
    return isMapped ? 1 : 0;
  }

  #map(offset: number, length: number): void {
    this.mapped.fill(1, Math.floor(offset / this.unitBytes), Math.ceil((offset + length) / this.unitBytes));
  }

  #unmap(offset: number, length: number): void {
    const begin = Math.ceil(offset / this.unitBytes);
    const end = offset + length === this.size ? this.mapped.length : Math.floor((offset + length) / this.unitBytes);
    if (end <= begin) return;
    this.mapped.fill(0, begin, end);
    this.bytes.fill(0, begin * this.unitBytes, end * this.unitBytes);
  }

  #do(call: ExportCall, action: () => void): Answer {
    this.calls.push(call);
    const waiting = this.#before?.(call);
    if (waiting === undefined) action();
    else return waiting.then(action);
  }
}
