/** The command line is wrong: `text` is all that is to be printed, and the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  /** @param usage - The usage line that helps, if one does. */
  constructor(message: string, usage?: string) {
    super(`error: ${message}\n${usage === undefined ? '' : `\n${usage}\n`}\nFor more information, try '--help'.`);
  }
}
