import { writeStdout } from './standard-output.ts';

/**
 * Prints a result as JSON, indented. Numbers beyond 2^53 come as text, so that they stay exact; maps as objects. Every result has a `version`, which rises
 * when a field changes its meaning or goes.
 */
export function printJson(result: { readonly version: number; readonly [field: string]: unknown }): void {
  writeStdout(`${JSON.stringify(result, (_, value: unknown) => plain(value), 2)}\n`);
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Map ? Object.fromEntries(value) : value;
}
