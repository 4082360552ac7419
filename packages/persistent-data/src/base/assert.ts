/** Thrown when this library (not the disk, not the caller's data) is wrong. The object that threw must not be used again. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/**
 * Insists on a condition that only a bug in this program can break. O(1), always on, also in released code.
 *
 * @throws {AssertionError} when `condition` is false.
 */
export function assert(condition: boolean, text: string): asserts condition {
  if (!condition) throw new AssertionError(text);
}

/** Whether {@link verify} runs its argument: the environment variable `PDATA_VERIFY` is `1`. */
export const verifyEnabled: boolean =
  (globalThis as { process?: { env?: { PDATA_VERIFY?: string } } }).process?.env?.PDATA_VERIFY === '1';

/**
 * Runs an expensive check, in tests only (`PDATA_VERIFY=1`). `check` throws or returns false when something is wrong.
 *
 * @throws {AssertionError} when `check` returns false.
 */
export function verify(check: () => boolean, text: string): void {
  if (verifyEnabled && !check()) throw new AssertionError(text);
}

// Typed arrays use the host's byte order and the formats are little-endian. No big-endian host runs Node, Bun or Deno today.
assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, 'the host is big-endian, little-endian is needed');
