import { spawnSync } from 'node:child_process';
import { expect, test, vi } from 'vitest';
import { parseArguments } from './arguments.ts';
import { run as completion } from './commands/completion.ts';
import { run as man } from './commands/man.ts';
import { SHELL_COMMANDS } from './commands/shell-table.ts';
import { COMMANDS } from './commands/table.ts';
import { completionScript, SHELLS } from './completion.ts';
import { manPage } from './man-page.ts';
import { version } from './version.ts';

const { printed } = vi.hoisted(() => ({ printed: { text: '' } }));
vi.mock('./standard-output.ts', () => ({
  writeStdout: (content: string) => {
    printed.text += content;
  },
}));

function hasProgram(name: string): boolean {
  return spawnSync(name, ['--version']).error === undefined;
}

/** What bash offers for a command line. */
function bashCompletes(...words: string[]): string[] {
  const script = `${completionScript('bash', COMMANDS)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_pdata
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd: '/' });
  expect(stderr).toBe('');
  return stdout.trimEnd().split('\n');
}

test('bash completes commands, options and choices', () => {
  expect(bashCompletes('pdata', 'thin_re')).toEqual(['thin_restore', 'thin_repair']);
  expect(bashCompletes('pdata', 'thin_repair', '--pre')).toEqual(['--preview']);
  expect(bashCompletes('/usr/bin/thin_ls', '--sha')).toEqual(['--sharing-matrix']);
  expect(bashCompletes('thin_stat', '--op', 'data_')).toEqual(['data_blocks', 'data_run_len']);
  expect(bashCompletes('thin_check', '/et')).toEqual(['/etc']);
  expect(bashCompletes('pdata', 'vol')).toEqual(['volume']);
  expect(bashCompletes('pdata', 'pool', 'c')).toEqual(['create', 'check']);
  expect(bashCompletes('pdata', 'volume', 'send', '--ba')).toEqual(['--base']);
  expect(bashCompletes('pdata', 'serve', '--no-space', '')).toEqual(['wait', 'fail']);
});

test.skipIf(!hasProgram('zsh'))('zsh can read its script', () => {
  const { status, stderr } = spawnSync('zsh', ['-n'], { input: completionScript('zsh', COMMANDS), encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
});

test('each script names every command and option', () => {
  for (const shell of SHELLS) {
    const script = completionScript(shell, COMMANDS);
    for (const { name, options } of COMMANDS) {
      expect(script).toContain(name);
      for (const { long, hidden } of options) if (!hidden) expect(script).toContain(long);
    }
  }
});

test('a manual page has all options and exit codes', () => {
  for (const command of COMMANDS) {
    const page = manPage(command, '1.0');
    expect(page).toContain(`.TH ${command.name.replace(' ', '-').toUpperCase()} 8`);
    for (const { long, hidden } of command.options) {
      if (!hidden) expect(page).toContain(`\\-\\-${long.replaceAll('-', '\\-')}`);
    }
  }
  const page = manPage(COMMANDS.find(({ name }) => name === 'thin_trim')!, '1.0');
  expect(page).toContain('the metadata contains errors; nothing was discarded');
});

test('the commands print them', () => {
  const call = (run: typeof man, name: string, operand: string) =>
    run(parseArguments(SHELL_COMMANDS.find((command) => command.name === name)!, [operand]), COMMANDS);
  call(completion, 'completion', 'fish');
  call(man, 'man', 'thin_ls');
  expect(printed.text).toContain('complete -c thin_ls -l sharing-matrix');
  expect(printed.text).toContain(`pdata ${version()}`);
  expect(() => call(completion, 'completion', 'csh')).toThrow("invalid value 'csh' for '<SHELL>'");
  expect(() => call(man, 'man', 'ls')).toThrow('No manual entry for ls');
});
