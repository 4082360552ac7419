/** What a command is: one row of the table that feeds parsing, help, completion and man pages. */

import type { Arguments } from './arguments.ts';

/** How the text of an option's value is understood. */
export type ValueKind = 'text' | 'u64' | 'u32';

export interface OptionSpec {
  /** Without the dashes. */
  readonly long: string;
  readonly short?: string;
  /** What stands for the value in help; absent for a flag. */
  readonly value?: string;
  readonly kind?: ValueKind;
  /** The value may be left out, and is given with `=` only: `-m`, `-m=5`. */
  readonly optionalValue?: boolean;
  readonly choices?: readonly string[];
  readonly help: string;
  readonly required?: boolean;
  /** Required, unless the option with this long name is given. */
  readonly requiredUnless?: string;
  readonly multiple?: boolean;
  /** Long names of options that it cannot be used with. */
  readonly conflicts?: readonly string[];
  /** Taken, and not shown in help. */
  readonly hidden?: boolean;
}

export interface OperandSpec {
  /** As help shows it: `INPUT`. */
  readonly name: string;
  readonly help: string;
  /** It may be left out; only the last one. */
  readonly optional?: boolean;
}

export interface CommandSpec {
  /** One word, or two: `pool create`. */
  readonly name: string;
  /** One sentence. */
  readonly about: string;
  readonly options: readonly OptionSpec[];
  readonly operands: readonly OperandSpec[];
  /** Exit codes besides those that all commands have. */
  readonly exitCodes?: Readonly<Record<number, string>>;
  /** Loads the command's code; only the one that runs is loaded. */
  readonly load: () => Promise<CommandModule>;
}

/** What a command's file exports. */
export interface CommandModule {
  /** Does the work and answers the exit code. What it throws is printed, and the exit code is 64. @param commands - The whole table. */
  readonly run: (args: Arguments, commands: readonly CommandSpec[]) => number | Promise<number>;
}

/** Exit codes of all commands. */
export const EXIT = {
  ok: 0,
  /** The command line is wrong. */
  usage: 2,
  /** Anything that goes wrong while it runs, a failed check included. */
  failure: 64,
  /** A preliminary check failed; the command has done nothing. */
  precheck: 65,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const;

/** Options that every command has. */
export const COMMON_OPTIONS: readonly OptionSpec[] = [
  { long: 'help', short: 'h', help: 'Print help' },
  { long: 'version', short: 'V', help: 'Print version' },
  { long: 'io-engine', value: 'ENGINE', help: 'Has no effect', hidden: true },
];

export const QUIET: OptionSpec = {
  long: 'quiet',
  short: 'q',
  help: 'Suppress output messages, return only exit code.',
};

export const JSON_OUTPUT: OptionSpec = { long: 'json', help: 'Print the result as JSON' };

/** The operand of most commands. */
export function inputOperand(purpose: string): OperandSpec {
  return { name: 'INPUT', help: `Specify the input device to ${purpose}` };
}
