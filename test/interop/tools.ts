/** The userland tools of others: Debian's 0.9.0, installed, and 1.1.0, unpacked by `bench/tools/get-rust-tools.sh`. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Peer, peer } from '../peers.ts';

/** What a program did. */
export interface ToolResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One generation of the tools. */
export interface Tools {
  readonly version: string;
  run(name: string, ...args: string[]): ToolResult;
}

function runProgram(path: string, args: readonly string[]): ToolResult {
  const { status, stdout, stderr, error } = spawnSync(path, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

const NEEDED: readonly Peer[] = [
  ...(['thin_check', 'thin_dump', 'thin_restore', 'thin_delta', 'thin_ls', 'thin_rmap'] as const),
  ...(['cache_check', 'cache_dump', 'cache_restore'] as const),
  ...(['era_check', 'era_dump', 'era_invalidate', 'era_restore'] as const),
];

/** Debian 12's tools; `undefined` when they are not installed, which is said aloud. */
export function installedTools(): Tools | undefined {
  const paths = new Map(NEEDED.map((name) => [name as string, peer(name)]));
  if ([...paths.values()].includes(undefined)) return undefined;
  return { version: '0.9.0', run: (name, ...args) => runProgram(paths.get(name)!, args) };
}

/** Debian 13's tools; `undefined` when they were not unpacked. They are an extra: no word is said. */
export function unpackedTools(): Tools | undefined {
  const folder = process.env.RUST_TOOLS ?? join(import.meta.dirname, '../../.cache/rust-tools/bin');
  if (!existsSync(join(folder, 'thin_check'))) return undefined;
  return { version: '1.1.0', run: (name, ...args) => runProgram(join(folder, name), args) };
}
