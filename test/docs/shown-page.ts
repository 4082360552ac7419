/** Pages whose console blocks show commands with what they print, on both streams. */

import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';

const BIN = join(import.meta.dirname, '../../packages/pdata/bin/pdata.js');

/** Runs the commands of a page in a folder, and compares; with `PDATA_UPDATE_DOCS=1` writes what they print into the page. */
export function expectShown(pageName: string, folder: string): void {
  const path = join(import.meta.dirname, '../../docs', pageName);
  const program = join(folder, 'pdata');
  writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} ${BIN} "$@"\n`);
  chmodSync(program, 0o755);
  const page = readFileSync(path, 'utf8');
  const real = page.replaceAll(
    /```console\n([\s\S]*?)```/g,
    (_, block: string) => `\`\`\`console\n${withOutputs(block, folder)}\`\`\``,
  );
  if (process.env.PDATA_UPDATE_DOCS === '1') writeFileSync(path, real);
  else expect(page).toBe(real);
}

/** A block of commands with their outputs. */
function withOutputs(block: string, folder: string): string {
  const commands = block.split('\n').filter((line) => line.startsWith('$ '));
  return commands.map((line) => `${line}\n${output(line.slice(2), folder)}`).join('');
}

/** What a shell prints for a command, both streams in one. */
function output(command: string, folder: string): string {
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
  const { stdout } = spawnSync('sh', ['-c', `{ ${command}; } 2>&1`], { cwd: folder, env, encoding: 'utf8' });
  return stdout === '' || stdout.endsWith('\n') ? stdout : `${stdout}\n`;
}
