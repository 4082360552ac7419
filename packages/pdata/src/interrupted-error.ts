/** The user wants the program to end. Nothing is to be said, and the exit code is 130. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}
