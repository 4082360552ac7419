/** Rows of the command table that are about the program itself. */

import type { CommandSpec } from '../command.ts';

export const SHELL_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'completion',
    about: 'Print the completion script of a shell: bash, zsh or fish',
    operands: [{ name: 'SHELL', help: 'Specify the shell' }],
    options: [],
    load: () => import('./completion.ts'),
  },
  {
    name: 'man',
    about: 'Print the manual page of a command, for man -l',
    operands: [{ name: 'COMMAND', help: 'Specify the command' }],
    options: [],
    load: () => import('./man.ts'),
  },
];
