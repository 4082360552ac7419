/** The program's entry: finds the command by the name the program was called by, or by the first argument, and runs it. */

import { basename } from 'node:path';
import { type Arguments, parseArguments } from './arguments.ts';
import { type CommandSpec, EXIT } from './command.ts';
import { COMMANDS } from './commands/table.ts';
import { failureText } from './failure.ts';
import { helpText } from './help.ts';
import { InterruptedError } from './interrupted-error.ts';
import { ClosedOutputError, writeStdout } from './standard-output.ts';
import { UsageError } from './usage-error.ts';
import { version } from './version.ts';

function usageList(): string {
  const names = COMMANDS.map(({ name }) => `  ${name}`).sort();
  return `Usage: <command> <args>\ncommands:\n${names.join('\n')}\n`;
}

function findCommand(name: string): CommandSpec | undefined {
  return COMMANDS.find((command) => command.name === name);
}

async function runCommand(command: CommandSpec, argv: readonly string[]): Promise<number> {
  const args = parseArguments(command, argv);
  if (args.has('help')) writeStdout(helpText(command));
  else if (args.has('version')) writeStdout(`${version()}\n`);
  else return await runLoaded(command, args);
  return EXIT.ok;
}

/** With `--quiet` not even failures are said. */
async function runLoaded(command: CommandSpec, args: Arguments): Promise<number> {
  try {
    const [{ run }, { interruptible }] = await Promise.all([command.load(), import('./interruption.ts')]);
    return await interruptible(() => run(args, COMMANDS));
  } catch (error) {
    if (!args.has('quiet') || error instanceof UsageError || error instanceof InterruptedError) throw error;
    return EXIT.failure;
  }
}

/** What there is behind the first word of names of two. */
function groupHelp(argv: readonly string[], members: readonly CommandSpec[]): number {
  const list = members.map(({ name, about }) => `  ${name.padEnd(18)} ${about}`);
  const text = `Usage: pdata <command> <args>\ncommands:\n${list.join('\n')}\n`;
  if (argv[0] === '--help' || argv[0] === '-h') {
    writeStdout(text);
    return EXIT.ok;
  }
  process.stderr.write(`${argv.length === 0 ? '' : 'unrecognised command\n'}${text}`);
  return EXIT.failure;
}

async function main(): Promise<number> {
  const [, script = '', ...argv] = process.argv;
  const called = findCommand(basename(script));
  if (called !== undefined) return await runCommand(called, argv);
  // Names of two words, such as "pool create", may come as two arguments.
  const two = findCommand(argv.slice(0, 2).join(' '));
  if (two !== undefined && argv.length > 1) return await runCommand(two, argv.slice(2));
  const [name, ...rest] = argv;
  if (name === '--version' || name === '-V') {
    writeStdout(`${version()}\n`);
    return EXIT.ok;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    writeStdout(usageList());
    return EXIT.ok;
  }
  const members = COMMANDS.filter((each) => each.name.startsWith(`${name} `));
  if (members.length > 0) return groupHelp(rest, members);
  const command = findCommand(name ?? '');
  if (command !== undefined) return await runCommand(command, rest);
  process.stderr.write(`${name === undefined ? '' : 'unrecognised command\n'}${usageList()}`);
  return EXIT.failure;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = EXIT.usage;
  } else if (error instanceof InterruptedError) {
    process.exitCode = EXIT.interrupted;
  } else {
    if (!(error instanceof ClosedOutputError)) process.stderr.write(`${failureText(error)}\n`);
    process.exitCode = EXIT.failure;
  }
}
