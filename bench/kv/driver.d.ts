/**
 * What a store under test implements. Nothing else is known of it to the workloads.
 *
 * Keys are unsigned integers below 2^53, handed over as doubles; a store keeps them as 64-bit integers and orders them as numbers. Values are
 * 8 bytes: value i of a batch is in `values` at byte 8 * i. A batch is the half-open range `from..to` of both arrays.
 *
 * `putMany` and `del` belong to the one open write transaction, which is begun when there is none. A driver may queue them and do the work in
 * `commit`: the two are always timed together. When `commit` returns, or its promise resolves, the transaction survives a loss of power.
 *
 * A method may answer a promise or a plain value; only promises are awaited.
 */
export interface Driver {
  open(options: OpenOptions): void | Promise<void>;
  putMany(keys: Float64Array, values: Uint8Array, from: number, to: number): void | Promise<void>;
  /** Copies the values of `keys[from..to)` to the same places of `out`; answers how many there were. */
  getMany(keys: Float64Array, out: Uint8Array, from: number, to: number): number | Promise<number>;
  /** Visits at most `limit` entries in order from `start` on, in the way that is fastest in this store. */
  scan(start: number, limit: number): ScanSum | Promise<ScanSum>;
  /** As `scan`, by `for…of`. Missing where `scan` does that already. */
  scanFor?(start: number, limit: number): ScanSum;
  del(keys: Float64Array, from: number, to: number): void | Promise<void>;
  commit(): void | Promise<void>;
  /** Puts one entry as a transaction of its own; resolves when that is durable. Callers do not wait for each other. */
  putAlone?(key: number, value: number): Promise<void>;
  /** Makes the files as small as the store can. */
  compact(): void | Promise<void>;
  close(): void | Promise<void>;
  /** Files or folders that make up the store. */
  files(): string[];
}

export interface OpenOptions {
  readonly path: string;
  /** Memory for caching, in bytes, where the store has such a setting. */
  readonly cacheBytes: number;
}

/** Sums mod 2^32 of the lower halves of keys and values: proof that both were read. */
export interface ScanSum {
  n: number;
  keySum: number;
  valSum: number;
}
