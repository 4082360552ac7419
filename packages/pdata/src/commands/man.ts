/** `man`: the manual page of a command. */

import type { Arguments } from '../arguments.ts';
import { type CommandSpec, EXIT } from '../command.ts';
import { manPage } from '../man-page.ts';
import { writeStdout } from '../standard-output.ts';
import { version } from '../version.ts';

export function run(args: Arguments, commands: readonly CommandSpec[]): number {
  // As one word too: `pdata man pool-create`.
  const wanted = args.operand(0);
  const command = commands.find(({ name }) => name === wanted || name.replace(' ', '-') === wanted);
  if (command === undefined) throw new Error(`No manual entry for ${wanted}`);
  writeStdout(manPage(command, version()));
  return EXIT.ok;
}
