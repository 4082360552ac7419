/** `completion`: what a shell needs to complete command lines. */

import type { Arguments } from '../arguments.ts';
import { type CommandSpec, EXIT } from '../command.ts';
import { completionScript, SHELLS } from '../completion.ts';
import { writeStdout } from '../standard-output.ts';
import { UsageError } from '../usage-error.ts';

export function run(args: Arguments, commands: readonly CommandSpec[]): number {
  const wanted = args.operand(0);
  const shell = SHELLS.find((name) => name === wanted);
  if (shell === undefined) {
    throw new UsageError(`invalid value '${wanted}' for '<SHELL>'\n  [possible values: ${SHELLS.join(', ')}]`);
  }
  writeStdout(completionScript(shell, commands));
  return EXIT.ok;
}
