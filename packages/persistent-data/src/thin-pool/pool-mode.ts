import { NoSpaceError, type PersistentDataError, ReadOnlyError } from '../base/index.ts';

/**
 * What a pool can do now, from everything to nothing.
 *
 * | mode | first writes, broken sharing | other changes of metadata | way out |
 * | --- | --- | --- | --- |
 * | `write` | yes | yes | |
 * | `out_of_data_space` | wait, or fail | yes | a commit with free data blocks |
 * | `out_of_metadata_space` | fail | none; discards are ignored | a longer metadata device |
 * | `read_only` | no writes at all after a failure | none; discards are ignored | opening again |
 * | `fail` | nothing can be read either | none | opening again |
 */
export type PoolMode = 'write' | 'out_of_data_space' | 'out_of_metadata_space' | 'read_only' | 'fail';

const ORDER: readonly PoolMode[] = ['write', 'out_of_data_space', 'out_of_metadata_space', 'read_only', 'fail'];

/** What a pool tells who watches it. */
export type PoolEvent =
  | { readonly event: 'mode'; readonly mode: PoolMode; readonly reason: string }
  /** Free data blocks have fallen to the low-water mark. Once, until the data device has grown. */
  | { readonly event: 'data_low_water'; readonly freeBlocks: number }
  /** Free metadata blocks have fallen to the mark, which is a quarter of them or 1024. */
  | { readonly event: 'metadata_low_water'; readonly freeBlocks: number }
  /** The requests that waited for data space have waited long enough: from now on such requests fail at once. */
  | { readonly event: 'no_space_timeout' };

/** The mode of a pool, with the reason for it. */
export class ModeState {
  mode: PoolMode = 'write';
  /** Whether blocks that are there can be written without a further look. */
  isPlain = true;
  reason = 'opened';
  /** What failed, in the modes that a failure leads to. */
  failure: PersistentDataError | Error | undefined;
  readonly #onEvent: (event: PoolEvent) => void;

  constructor(onEvent: (event: PoolEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** Whether the mode is `mode` or a worse one. */
  isAtLeast(mode: PoolMode): boolean {
    return ORDER.indexOf(this.mode) >= ORDER.indexOf(mode);
  }

  /** Goes into a mode. `fail` is never left, and a failure only for a worse one. */
  enter(mode: PoolMode, reason: string, failure?: Error): void {
    if (mode === this.mode || this.mode === 'fail') return;
    if (this.failure !== undefined && ORDER.indexOf(mode) < ORDER.indexOf(this.mode)) return;
    this.mode = mode;
    this.isPlain = mode !== 'read_only' && mode !== 'fail';
    this.reason = reason;
    this.failure ??= failure;
    this.#onEvent({ event: 'mode', mode, reason });
  }

  /** @throws when nothing can be read. */
  refuseUnlessReadable(action: string): void {
    if (this.mode === 'fail') throw this.#readOnlyError(action);
  }

  /** @throws when blocks that are there already can't be written. */
  refuseUnlessWritable(action: string): void {
    if (this.mode === 'read_only' || this.mode === 'fail') throw this.#readOnlyError(action);
  }

  /** @throws when the metadata can't be changed. */
  refuseUnlessChangeable(action: string): void {
    this.refuseUnlessWritable(action);
    if (this.mode === 'out_of_metadata_space') {
      throw new NoSpaceError(
        `Cannot ${action}: metadata space is used up, a longer metadata device is wanted`,
        'metadata',
      );
    }
  }

  #readOnlyError(action: string): ReadOnlyError {
    return new ReadOnlyError(`Cannot ${action}: the pool is in ${this.mode} mode: ${this.reason}`, {
      cause: this.failure,
    });
  }
}
