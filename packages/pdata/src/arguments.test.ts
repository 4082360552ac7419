import { describe, expect, test } from 'vitest';
import { parseArguments } from './arguments.ts';
import { type CommandSpec, inputOperand, QUIET } from './command.ts';
import { helpText, usageLine } from './help.ts';
import { UsageError } from './usage-error.ts';

const COMMAND: CommandSpec = {
  name: 'tool',
  about: 'Does something.',
  operands: [inputOperand('use')],
  options: [
    QUIET,
    { long: 'number', short: 'n', value: 'NUM', kind: 'u32', help: 'A number' },
    { long: 'kind', value: 'KIND', choices: ['a', 'b'], help: 'A choice' },
    { long: 'snap', short: 'm', value: 'BLOCKNR', kind: 'u64', optionalValue: true, help: 'With or without' },
    { long: 'many', value: 'X', multiple: true, help: 'Several' },
    { long: 'other', help: 'Not with quiet', conflicts: ['quiet'] },
  ],
  load: () => Promise.reject(new Error('not here')),
};
const NEEDY: CommandSpec = {
  ...COMMAND,
  operands: [],
  options: [{ long: 'input', short: 'i', value: 'FILE', required: true, help: 'What to read' }],
};

function refusal(argv: readonly string[], command = COMMAND): string {
  try {
    parseArguments(command, argv);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
  }
  return 'taken';
}

test('options come in all their forms', () => {
  const args = parseArguments(COMMAND, ['-q', '-n', '5', '--kind=b', '--many', '1', '--many=2', 'file']);
  expect(args.has('quiet')).toBe(true);
  expect(args.number('number')).toBe(5);
  expect(args.text('kind')).toBe('b');
  expect(args.numbers('many')).toEqual([1, 2]);
  expect(args.operand(0)).toBe('file');
  expect(parseArguments(COMMAND, ['-n=7', 'file']).number('number')).toBe(7);
});

test('a value that may be left out is given with "=" only', () => {
  expect(parseArguments(COMMAND, ['-m', 'file']).text('snap')).toBeUndefined();
  expect(parseArguments(COMMAND, ['-m=42', 'file']).number('snap')).toBe(42);
  expect(parseArguments(COMMAND, ['--snap=42', 'file']).number('snap')).toBe(42);
  expect(refusal(['-m', '42', 'file'])).toContain("unexpected argument 'file' found");
});

test('help and version win over what else is wrong', () => {
  expect(parseArguments(COMMAND, ['--help']).has('help')).toBe(true);
  expect(parseArguments(NEEDY, ['-V']).has('version')).toBe(true);
});

describe('what version 1.x of the tools says of a wrong command line', () => {
  test.each<[string[], string]>([
    [
      ['--foo', 'x'],
      "error: unexpected argument '--foo' found\n\n  tip: to pass '--foo' as a value, use '-- --foo'\n\nUsage: tool [OPTIONS] <INPUT>",
    ],
    [
      ['--quite', 'x'],
      "error: unexpected argument '--quite' found\n\n  tip: a similar argument exists: '--quiet'\n\nUsage: tool --quiet <INPUT>",
    ],
    [[], 'error: the following required arguments were not provided:\n  <INPUT>\n\nUsage: tool <INPUT>'],
    [['x', 'y'], "error: unexpected argument 'y' found\n\nUsage: tool [OPTIONS] <INPUT>"],
    [['-q', '-q', 'x'], "error: the argument '--quiet' cannot be used multiple times"],
    [['-n', 'five', 'x'], "error: invalid value 'five' for '--number <NUM>': invalid digit found in string"],
    [
      ['-n', '4294967296', 'x'],
      "error: invalid value '4294967296' for '--number <NUM>': number too large to fit in target type",
    ],
    [['--kind', 'c', 'x'], "error: invalid value 'c' for '--kind <KIND>'\n  [possible values: a, b]"],
    [['x', '-n'], "error: a value is required for '--number <NUM>' but none was supplied"],
    [
      ['-q', '--other', 'x'],
      "error: the argument '--quiet' cannot be used with '--other'\n\nUsage: tool --quiet <INPUT>",
    ],
  ])('%j', (argv, beginning) => {
    const text = refusal(argv);
    expect(text.startsWith(beginning)).toBe(true);
    expect(text.endsWith("For more information, try '--help'.")).toBe(true);
  });

  test('a missing option is named', () => {
    expect(refusal([], NEEDY)).toContain('  --input <FILE>\n\nUsage: tool --input <FILE>');
  });
});

test('help lists operands and options, hidden ones not', () => {
  const text = helpText(COMMAND);
  expect(text.startsWith('Does something.\n\nUsage: tool [OPTIONS] <INPUT>\n\nArguments:\n  <INPUT>')).toBe(true);
  expect(text).toContain('  -m, --snap[=<BLOCKNR>]');
  expect(text).not.toContain('io-engine');
  expect(usageLine(NEEDY)).toBe('Usage: tool [OPTIONS] --input <FILE>');
});
