/** Manual pages in roff, out of the command table. */

import { COMMON_OPTIONS, type CommandSpec, EXIT, type OptionSpec } from './command.ts';
import { optionUsage, usageLine } from './help.ts';

const EXIT_CODES: Readonly<Record<number, string>> = {
  [EXIT.ok]: 'success',
  [EXIT.usage]: 'the command line is wrong',
  [EXIT.failure]: 'anything that goes wrong while it runs, a failed check included; standard output was closed',
  [EXIT.interrupted]: 'ended by Ctrl-C',
};

/** The page of a command, section 8. */
export function manPage(command: CommandSpec, version: string): string {
  const { name, about, operands } = command;
  const options = [...command.options, ...COMMON_OPTIONS].filter(({ hidden }) => !hidden);
  const codes: Record<string, string> = { ...EXIT_CODES, ...joined(command.exitCodes) };
  return [
    `.TH ${name.replace(' ', '-').toUpperCase()} 8 "" "pdata ${version}" "System Manager's Manual"`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(about)}`,
    '.SH SYNOPSIS',
    `.B ${roff(usageLine(command).replace(/^Usage: /, ''))}`,
    ...(operands.length === 0
      ? []
      : ['.SH ARGUMENTS', ...operands.flatMap(({ name: operand, help }) => item(operand, help))]),
    '.SH OPTIONS',
    ...options.flatMap((option) => item(optionTitle(option), optionText(option))),
    '.SH EXIT STATUS',
    ...Object.entries(codes).flatMap(([code, text]) => item(code, text)),
    '',
  ].join('\n');
}

/** A command's own words on exit codes stand behind the common ones. */
function joined(own: CommandSpec['exitCodes'] = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(own).map(([code, text]) => {
      const common = EXIT_CODES[Number(code)];
      return [code, common === undefined ? text : `${common}; ${text}`];
    }),
  );
}

function item(title: string, text: string): string[] {
  return ['.TP', `.B ${roff(title)}`, roff(text)];
}

function optionTitle(option: OptionSpec): string {
  return option.short === undefined ? optionUsage(option) : `-${option.short}, ${optionUsage(option)}`;
}

function optionText({ help, choices }: OptionSpec): string {
  return choices === undefined ? help : `${help}: ${choices.join(', ')}`;
}

/** Text that roff leaves as it is. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}
