/** Parses a command line by the command's row of the table, with the messages of version 1.x of the tools. */

import { parseArgs } from 'node:util';
import type { CommandSpec, OptionSpec } from './command.ts';
import { optionsOf, optionUsage, usageLine } from './help.ts';
import { UsageError } from './usage-error.ts';

/** What was given on the command line, checked. Names are the long ones. */
export class Arguments {
  readonly command: CommandSpec;
  readonly operands: readonly string[];
  readonly #given: ReadonlyMap<string, readonly (string | undefined)[]>;

  constructor(command: CommandSpec, operands: readonly string[], given: Arguments['given']) {
    this.command = command;
    this.operands = operands;
    this.#given = given;
  }

  /** Values by long name, in the order in which they were given; `undefined` where an option came without one. */
  get given(): ReadonlyMap<string, readonly (string | undefined)[]> {
    return this.#given;
  }

  has(name: string): boolean {
    return this.#given.has(name);
  }

  /** The value of an option, or `undefined` when it was not given, or without a value. */
  text(name: string): string | undefined {
    return this.#given.get(name)?.[0];
  }

  /** All values of an option that may be given several times. */
  texts(name: string): string[] {
    return (this.#given.get(name) ?? []).filter((value) => value !== undefined);
  }

  /** The value of an option of kind `u64` or `u32`; it has been checked. Beyond 2^53 it is rounded. */
  number(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : Number(text);
  }

  numbers(name: string): number[] {
    return this.texts(name).map(Number);
  }

  /** The value of a required option. */
  required(name: string): string {
    const text = this.text(name);
    if (text === undefined) throw new Error(`option ${name} is required by the table`);
    return text;
  }

  /** Operand `index`, which the table asks for. */
  operand(index: number): string {
    const text = this.operands[index];
    if (text === undefined) throw new Error(`operand ${index} is required by the table`);
    return text;
  }
}

const MAX_OF_KIND = { u64: 2n ** 64n - 1n, u32: 2n ** 32n - 1n } as const;

/** @throws {UsageError} when the command line is not one that the command takes. `--help` and `--version` win over that. */
export function parseArguments(command: CommandSpec, argv: readonly string[]): Arguments {
  const options = optionsOf(command);
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      options.map(({ long, short, value, optionalValue }) => [
        long,
        {
          type: value === undefined || optionalValue ? ('boolean' as const) : ('string' as const),
          ...(short === undefined ? {} : { short }),
        },
      ]),
    ),
  });
  const byName = new Map(options.map((option) => [option.long, option]));
  const given = new Map<string, (string | undefined)[]>();
  const operands: string[] = [];
  for (const token of rejoined(tokens)) {
    if (token.kind === 'positional') {
      if (operands.length === command.operands.length) {
        throw new UsageError(`unexpected argument '${token.value}' found`, usageLine(command));
      }
      operands.push(token.value);
    } else if (token.kind === 'option') {
      const option = byName.get(token.name);
      if (option === undefined) throw unknownOption(command, token.rawName);
      take(command, option, token.value, given);
    }
  }
  if (given.has('help') || given.has('version')) return new Arguments(command, operands, given);
  refuseConflicts(command, options, given);
  refuseMissing(command, operands, given);
  return new Arguments(command, operands, given);
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number];

/** Puts `-m=5` together again, which the parser takes for a group of the options m, = and 5. */
function* rejoined(tokens: readonly Token[]): Generator<Token> {
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    const next = tokens[i + 1];
    if (token.kind !== 'option' || next?.kind !== 'option' || next.index !== token.index || next.name !== '=') {
      yield token;
      continue;
    }
    let value = '';
    for (i += 2; i < tokens.length; i++) {
      const part = tokens[i]!;
      if (part.kind !== 'option' || part.index !== token.index) break;
      value += part.rawName.slice(1) + (part.value ?? '');
    }
    i--;
    yield { ...token, value, inlineValue: true };
  }
}

function take(
  command: CommandSpec,
  option: OptionSpec,
  text: string | undefined,
  given: Map<string, (string | undefined)[]>,
): void {
  const wantsValue = option.value !== undefined && !option.optionalValue;
  // A short option's value may be joined to it by "=".
  const value = wantsValue && option.short !== undefined && text?.startsWith('=') ? text.slice(1) : text;
  if (wantsValue && value === undefined) {
    throw new UsageError(`a value is required for '${optionUsage(option)}' but none was supplied`);
  }
  if (option.value === undefined && value !== undefined) {
    throw new UsageError(
      `unexpected value '${value}' for '--${option.long}' found; no more were expected`,
      usageLine(command, [option]),
    );
  }
  const before = given.get(option.long);
  if (before !== undefined && !option.multiple) {
    throw new UsageError(`the argument '${optionUsage(option)}' cannot be used multiple times`, usageLine(command));
  }
  if (value !== undefined) checkValue(option, value);
  given.set(option.long, [...(before ?? []), value]);
}

function checkValue(option: OptionSpec, value: string): void {
  const refuse = (reason: string): never => {
    throw new UsageError(`invalid value '${value}' for '${optionUsage(option)}'${reason}`);
  };
  if (option.choices !== undefined && !option.choices.includes(value)) {
    refuse(`\n  [possible values: ${option.choices.join(', ')}]`);
  }
  if (option.kind !== 'u64' && option.kind !== 'u32') return;
  if (value === '') refuse(': cannot parse integer from empty string');
  if (!/^\+?\d+$/.test(value)) refuse(': invalid digit found in string');
  if (BigInt(value.replace('+', '')) > MAX_OF_KIND[option.kind]) refuse(': number too large to fit in target type');
}

function refuseConflicts(command: CommandSpec, options: readonly OptionSpec[], given: Arguments['given']): void {
  for (const option of options) {
    if (!given.has(option.long)) continue;
    for (const other of options) {
      const clash = option.conflicts?.includes(other.long) || other.conflicts?.includes(option.long);
      if (!clash || !given.has(other.long)) continue;
      throw new UsageError(
        `the argument '${optionUsage(option)}' cannot be used with '${optionUsage(other)}'`,
        usageLine(command, [option]),
      );
    }
  }
}

function refuseMissing(command: CommandSpec, operands: readonly string[], given: Arguments['given']): void {
  const options = command.options
    .filter(({ required, requiredUnless, long }) => {
      return (required || (requiredUnless !== undefined && !given.has(requiredUnless))) && !given.has(long);
    })
    .map(optionUsage);
  const missing = [...options, ...operandNames(command, operands.length)];
  if (missing.length === 0) return;
  const list = missing.map((name) => `  ${name}`).join('\n');
  const used = command.options.filter(({ long }) => given.has(long));
  throw new UsageError(`the following required arguments were not provided:\n${list}`, usageLine(command, used));
}

function operandNames(command: CommandSpec, begin: number): string[] {
  return command.operands
    .slice(begin)
    .filter(({ optional }) => !optional)
    .map(({ name }) => `<${name}>`);
}

function unknownOption(command: CommandSpec, rawName: string): UsageError {
  const similar = optionsOf(command).find(({ long, hidden }) => !hidden && isSimilar(`--${long}`, rawName));
  const asValue = command.operands.length > 0 ? `\n\n  tip: to pass '${rawName}' as a value, use '-- ${rawName}'` : '';
  const tip = similar ? `\n\n  tip: a similar argument exists: '--${similar.long}'` : asValue;
  return new UsageError(
    `unexpected argument '${rawName}' found${tip}`,
    usageLine(command, similar ? [similar] : undefined),
  );
}

/** Whether two option names differ by a slip or two: the beginning agrees, and the letters are nearly the same ones. */
function isSimilar(a: string, b: string): boolean {
  if (!b.startsWith('--') || Math.abs(a.length - b.length) > 2 || a.slice(0, 4) !== b.slice(0, 4)) return false;
  const left = [...b].filter((letter) => !a.includes(letter));
  return left.length <= 1;
}
