/**
 * Every command with every wrong command line and every wrong file: one table. What a command wants is read from the command table; what a
 * valid call of it is, is told in {@link CALLS}.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseArguments } from '../../packages/pdata/src/arguments.ts';
import type { CommandSpec, OptionSpec } from '../../packages/pdata/src/command.ts';
import { COMMANDS } from '../../packages/pdata/src/commands/table.ts';
import { UsageError } from '../../packages/pdata/src/usage-error.ts';
import { isBuilt, makeFiles, type Outcome, pdata, scratchFolder } from './program.ts';

const folder = scratchFolder('matrix');
const files = makeFiles(folder);

/** A call that works, and what in it names the input, and the output. Commands that only take an INPUT need no row. */
interface Call {
  readonly argv: readonly string[];
  readonly input?: string;
  readonly output?: string;
  /** The input is XML, the output metadata: it has to be there already. */
  readonly isRestore?: true;
}

const { metadata, xml, output, data, made } = files;
const CALLS: Readonly<Record<string, Call>> = {
  thin_restore: { argv: ['-i', xml, '-o', output], input: xml, output, isRestore: true },
  thin_repair: { argv: ['-i', metadata, '-o', output], input: metadata, output },
  thin_rmap: { argv: ['--region', '0..10', metadata], input: metadata },
  thin_delta: { argv: ['--thin1', '0', '--thin2', '1', metadata], input: metadata },
  thin_metadata_size: { argv: ['-b', '64k', '-s', '1g', '-m', '10'] },
  thin_metadata_pack: { argv: ['-i', metadata, '-o', made], input: metadata },
  thin_metadata_unpack: { argv: ['-i', join(folder, 'packed'), '-o', made, '-f'] },
  thin_extract: {
    argv: ['--metadata-dev', metadata, '--data-dev', data, '--dev-id', '0', '-o', made],
    input: metadata,
  },
  thin_trim: { argv: ['--metadata-dev', metadata, '--data-dev', data], input: metadata },
  thin_shrink: { argv: ['-i', xml, '-o', made, '--data', data, '--nr-blocks', '90', '--no-copy'] },
  thin_migrate: {
    argv: ['--metadata-dev', metadata, '--data-dev', data, '--dev-id', '0', '--dest-file', made],
    input: metadata,
  },
  thin_generate_metadata: { argv: ['-o', output] },
  thin_generate_damage: { argv: ['-o', output, '--kind', 'leak'] },
  cache_check: { argv: [files.cache], input: files.cache },
  cache_dump: { argv: [files.cache], input: files.cache },
  cache_restore: { argv: ['-i', files.cacheXml, '-o', output], input: files.cacheXml, output, isRestore: true },
  cache_repair: { argv: ['-i', files.cache, '-o', output], input: files.cache, output },
  cache_metadata_size: { argv: ['--nr-blocks', '1000'] },
  cache_writeback: {
    argv: ['--metadata-device', files.cache, '--fast-device', data, '--origin-device', output],
    input: files.cache,
  },
  cache_detach: { argv: ['--metadata-device', files.cache], input: files.cache },
  cache_generate_metadata: { argv: ['-o', output] },
  cache_generate_damage: { argv: ['-o', output, '--kind', 'leak'] },
  era_check: { argv: [files.era], input: files.era },
  era_dump: { argv: [files.era], input: files.era },
  era_restore: { argv: ['-i', files.eraXml, '-o', output], input: files.eraXml, output, isRestore: true },
  era_repair: { argv: ['-i', files.era, '-o', output], input: files.era, output },
  era_invalidate: { argv: ['--written-since', '2', files.era], input: files.era },
  era_generate_metadata: { argv: ['-o', output] },
  era_generate_damage: { argv: ['-o', output, '--kind', 'leak'] },
  completion: { argv: ['bash'] },
  man: { argv: ['thin_check'] },
  serve: { argv: ['pool'] },
};

/** A command line for a command on pools: they are run in `pool-commands.test.ts`. */
function argvOf({ operands, options }: CommandSpec): string[] {
  const required = options.filter(({ required }) => required).flatMap(({ long }) => [`--${long}`, '1M']);
  return [...required, ...operands.map(({ name }) => name.toLowerCase())];
}

function callOf(command: CommandSpec): Call {
  const row = CALLS[command.name];
  if (row !== undefined) return row;
  if (command.name.includes(' ')) return { argv: argvOf(command) };
  const wantsInputOnly = command.operands.length === 1 && !command.options.some(({ required }) => required);
  if (!wantsInputOnly) throw new Error(`${command.name} needs a row in CALLS`);
  return { argv: [metadata], input: metadata };
}

/** The call with one word in place of another. */
function instead(call: Call, from: string | undefined, to: string): string[] {
  return call.argv.map((word) => (word === from ? to : word));
}

const usageOf = (option: OptionSpec): string => {
  if (option.value === undefined) return `--${option.long}`;
  return option.optionalValue ? `--${option.long}[=<${option.value}>]` : `--${option.long} <${option.value}>`;
};

/** Runs calls side by side, a few at a time. */
async function all<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await run(item);
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
}

/** That a wrong command line is refused is asked of the parser itself; what the program makes of that, once per command. */
function usageError(command: CommandSpec, argv: readonly string[], text: string | RegExp): string {
  let message = '';
  try {
    parseArguments(command, argv);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    ({ message } = error as UsageError);
  }
  expect(message).toMatch(text);
  expect(message).toContain("\n\nFor more information, try '--help'.");
  return message;
}

function failure(outcome: Outcome, text: string | RegExp): void {
  expect(outcome).toMatchObject({ status: 64, stdout: '' });
  expect(outcome.stderr).toMatch(text);
  expect(outcome.stderr).not.toMatch(/^\s+at /m);
}

const VERSION = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../../packages/pdata/package.json'), 'utf8')) as {
    version: string;
  }
).version;

describe.skipIf(!isBuilt)('the program', { timeout: 60_000 }, () => {
  test('lists its commands when it is called without one, or with one that it does not have', async () => {
    const list = COMMANDS.map(({ name }) => `  ${name}\n`)
      .sort()
      .join('');
    expect(await pdata([])).toEqual({ status: 64, stdout: '', stderr: `Usage: <command> <args>\ncommands:\n${list}` });
    const wrong = await pdata(['thin_chekc']);
    expect(wrong.stderr).toBe(`unrecognised command\nUsage: <command> <args>\ncommands:\n${list}`);
    expect(wrong.status).toBe(64);
    expect((await pdata(['--help'])).stdout).toContain(list);
    expect((await pdata(['--version'])).stdout).toBe(`${VERSION}\n`);
  });
});

describe.skipIf(!isBuilt).each(COMMANDS.map((command) => [command.name, command] as const))(
  '%s',
  { timeout: 60_000 },
  (name, command) => {
    const call = callOf(command);
    const visible = command.options.filter(({ hidden }) => !hidden);

    test('help and version', async () => {
      const help = await pdata([name, '--help']);
      expect(help).toMatchObject({ status: 0, stderr: '' });
      expect(help.stdout.startsWith(`${command.about}\n\nUsage: ${name} [OPTIONS]`)).toBe(true);
      for (const option of visible) expect(help.stdout).toContain(usageOf(option));
      expect(await pdata([name, '-h'])).toEqual(help);
      for (const option of ['--version', '-V']) {
        expect(await pdata([name, option])).toEqual({ status: 0, stdout: `${VERSION}\n`, stderr: '' });
      }
    });

    test('options that it does not have', async () => {
      const others = ['--skip-hints', '--written-since'].filter(
        (name) => !visible.some(({ long }) => `--${long}` === name),
      );
      for (const option of ['--no-such-option', ...others, '-Z']) {
        usageError(command, [option, ...call.argv], `error: unexpected argument '${option}' found`);
      }
      const message = usageError(command, ['--no-such-option'], 'unexpected');
      expect(await pdata([name, '--no-such-option'])).toEqual({ status: 2, stdout: '', stderr: `${message}\n` });
    });

    test('operands and options that are missing, or too many', () => {
      usageError(command, [...call.argv, 'more'], "error: unexpected argument 'more' found");
      const required = [
        ...command.options.filter((option) => option.required).map(usageOf),
        ...command.operands.filter(({ optional }) => !optional).map((operand) => `<${operand.name}>`),
      ];
      if (required.length === 0) return;
      const bare = usageError(command, [], 'error: the following required arguments were not provided:');
      for (const what of required) expect(bare).toContain(`\n  ${what}\n`);
    });

    test('options given twice', () => {
      for (const option of command.options.filter(({ multiple, optionalValue }) => !multiple && !optionalValue)) {
        const [value] = option.choices ?? [option.kind === undefined ? 'x' : '1'];
        const given = option.value === undefined ? [`--${option.long}`] : [`--${option.long}`, value!];
        usageError(
          command,
          [...given, ...given],
          `error: the argument '${usageOf(option)}' cannot be used multiple times`,
        );
      }
    });

    test('options without their value, with one too many, with a wrong one', () => {
      for (const option of command.options) {
        const usage = usageOf(option);
        if (option.value === undefined) {
          usageError(command, [`--${option.long}=x`], `error: unexpected value 'x' for '--${option.long}' found`);
          continue;
        }
        if (!option.optionalValue) {
          usageError(command, [`--${option.long}`], `error: a value is required for '${usage}' but none was supplied`);
        }
        if (option.kind !== undefined && option.kind !== 'text') {
          const invalid = (value: string): string => `error: invalid value '${value}' for '${usage}': `;
          usageError(command, [`--${option.long}=0x10`], `${invalid('0x10')}invalid digit found in string`);
          const huge = String(2n ** 64n);
          usageError(command, [`--${option.long}=${huge}`], `${invalid(huge)}number too large`);
        }
        if (option.choices !== undefined) {
          const wanted = `error: invalid value 'nothing' for '${usage}'\n  [possible values: ${option.choices.join(', ')}]`;
          usageError(command, [`--${option.long}=nothing`], wanted);
        }
      }
    });

    test('options that exclude each other', () => {
      for (const option of command.options) {
        for (const other of command.options.filter(({ long }) => option.conflicts?.includes(long))) {
          const argv = [option, other].map(({ long, value, choices }) =>
            value === undefined ? `--${long}` : `--${long}=${choices?.[0] ?? 1}`,
          );
          usageError(command, argv, /^error: the argument '--.*' cannot be used with '--/);
        }
      }
    });

    const { input } = call;
    test.skipIf(input === undefined)('inputs that cannot be read', async () => {
      const small = /^Metadata device\/file too small\. {2}Is this binary metadata\?\n$/;
      const binary: [string, string | RegExp][] = [
        [files.tiny, small],
        [files.xml, 'This looks like XML.  This tool only supports the binary metadata format.'],
      ];
      const text: [string, string | RegExp][] = [[metadata, /Cannot parse XML|binary metadata/]];
      const cases: [string, string | RegExp][] = [
        [files.missing, `Couldn't find input file '${files.missing}'`],
        [folder, `Not a block device or regular file '${folder}'.`],
        ['/dev/null', "Not a block device or regular file '/dev/null'."],
        ...(call.isRestore ? text : binary),
      ];
      await all(cases, async ([path, message]) => {
        const before = readFileSync(output);
        failure(await pdata([name, ...instead(call, input, path)]), message);
        expect(readFileSync(output).equals(before)).toBe(true);
      });
      if (!command.options.some(({ long }) => long === 'quiet')) return;
      const quiet = await pdata([name, '--quiet', ...instead(call, input, files.missing)]);
      expect(quiet).toEqual({ status: 64, stdout: '', stderr: '' });
    });

    test.skipIf(call.output === undefined)('outputs that cannot be written', async () => {
      const cases: [string, string | RegExp][] = [
        [files.missing, `Couldn't find output file '${files.missing}'`],
        [folder, /[Nn]ot a block device or regular file/],
        ['/dev/null', /[Nn]ot a block device or regular file/],
        [files.tiny, 'Output file too small.'],
        [files.small, 'Output file too small.'],
        [input!, /same file|too small/],
      ];
      await all(cases, async ([path, message]) => {
        const before = readFileSync(input!);
        failure(await pdata([name, ...instead(call, call.output, path)]), message);
        expect(readFileSync(input!).equals(before)).toBe(true);
      });
    });
  },
);
