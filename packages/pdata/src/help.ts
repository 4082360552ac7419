/** Help texts and usage lines, out of the command table. */

import { COMMON_OPTIONS, type CommandSpec, type OptionSpec } from './command.ts';

/** All options of a command, those of all commands included. */
export function optionsOf(command: CommandSpec): OptionSpec[] {
  return [...command.options, ...COMMON_OPTIONS];
}

/** `--input <FILE>`, `--metadata-snap[=<BLOCKNR>]`, `--quiet`. */
export function optionUsage(option: OptionSpec): string {
  if (option.value === undefined) return `--${option.long}`;
  return option.optionalValue ? `--${option.long}[=<${option.value}>]` : `--${option.long} <${option.value}>`;
}

/** The usage line; with `used` that of a command line with these options, without it the general one. */
export function usageLine(command: CommandSpec, used?: readonly OptionSpec[]): string {
  const operands = command.operands.map(({ name, optional }) => (optional ? `[${name}]` : `<${name}>`));
  const required = command.options.filter((option) => option.required || option.requiredUnless);
  const shown = used === undefined ? required : [...new Set([...used, ...required])];
  const parts = [command.name, ...(used === undefined ? ['[OPTIONS]'] : []), ...shown.map(optionUsage), ...operands];
  return `Usage: ${parts.join(' ')}`;
}

/** The text of `--help`. */
export function helpText(command: CommandSpec): string {
  const lines = [command.about, '', usageLine(command)];
  if (command.operands.length > 0) {
    lines.push('', 'Arguments:', ...columns(command.operands.map(({ name, help }) => [`<${name}>`, help])));
  }
  const options = optionsOf(command)
    .filter((option) => !option.hidden)
    .sort((a, b) => (a.long < b.long ? -1 : 1));
  lines.push('', 'Options:', ...columns(options.map((option) => [optionColumn(option), optionHelp(option)])));
  return `${lines.join('\n')}\n`;
}

function optionColumn(option: OptionSpec): string {
  return `${option.short === undefined ? '    ' : `-${option.short}, `}${optionUsage(option)}`;
}

function optionHelp({ help, choices }: OptionSpec): string {
  return choices === undefined ? help : `${help} [possible values: ${choices.join(', ')}]`;
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
