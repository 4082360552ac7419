/** Thrown by a conformance suite when the thing under test breaks its contract. */
export class ExpectationError extends Error {
  override readonly name = 'ExpectationError';
}

/** The `test` of any test library: registers a test. `node:test`, Vitest, Jest, `Deno.test` and `bun:test` fit. */
export type TestFunction = (name: string, body: () => void | Promise<void>) => unknown;

/** Insists on a condition of the thing under test. */
export function expectThat(condition: boolean, text: string): asserts condition {
  if (!condition) throw new ExpectationError(text);
}

/** Insists that two plain values are the same. */
export function expectSame<T>(found: T, wanted: T, what: string): void {
  expectThat(Object.is(found, wanted), `${what} is ${String(found)}, ${String(wanted)} is wanted`);
}

/** Insists that two runs of bytes are equal, and names the first place where they are not. */
export function expectBytes(found: Uint8Array, wanted: Uint8Array, what: string): void {
  expectSame(found.byteLength, wanted.byteLength, `the length of ${what}, in bytes,`);
  for (let i = 0; i < found.byteLength; ++i) {
    if (found[i] !== wanted[i]) expectSame(found[i], wanted[i], `byte ${i} of ${what}`);
  }
}

/** A class of errors; abstract ones too. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/** Insists that `call` throws an error of a class, and gives it. */
export function expectThrows(call: () => unknown, wanted: ErrorClass, what: string): Error {
  let error: unknown;
  try {
    call();
  } catch (thrown) {
    error = thrown;
  }
  return checkError(error, wanted, what);
}

/** Insists that a promise is rejected, and that `call` does not throw. */
export async function expectRejects(call: () => Promise<unknown>, wanted: ErrorClass, what: string): Promise<Error> {
  let error: unknown;
  let promise: Promise<unknown>;
  try {
    promise = call();
  } catch (thrown) {
    throw new ExpectationError(`${what} throws and does not reject`, { cause: thrown });
  }
  try {
    await promise;
  } catch (thrown) {
    error = thrown;
  }
  return checkError(error, wanted, what);
}

function checkError(error: unknown, wanted: ErrorClass, what: string): Error {
  if (error instanceof wanted) return error;
  const found = error === undefined ? 'nothing' : String(error);
  throw new ExpectationError(`${what} throws ${found}, a ${wanted.name} is wanted`, { cause: error });
}
