/** `man`: the manual page of a command. */

import type { Arguments } from '../arguments.ts';
import { type CommandSpec, EXIT } from '../command.ts';
import { manPage } from '../man-page.ts';
import { writeStdout } from '../standard-output.ts';
import { version } from '../version.ts';

export function run(args: Arguments, commands: readonly CommandSpec[]): number {
  const command = commands.find(({ name }) => name === args.operand(0));
  if (command === undefined) throw new Error(`No manual entry for ${args.operand(0)}`);
  writeStdout(manPage(command, version()));
  return EXIT.ok;
}
