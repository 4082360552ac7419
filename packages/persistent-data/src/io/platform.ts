import { UnsupportedError } from '../base/index.ts';

type BuiltinModules = {
  'node:child_process': typeof import('node:child_process');
  'node:fs': typeof import('node:fs');
  'node:os': typeof import('node:os');
  'node:path': typeof import('node:path');
};

/**
 * A module that Node, Bun and Deno have and browsers lack, taken when it is first needed: a static import would break every
 * browser bundle that contains this file.
 *
 * @throws {UnsupportedError} on platforms without it.
 */
export function builtinModule<Id extends keyof BuiltinModules>(id: Id): BuiltinModules[Id] {
  const host = (globalThis as { process?: { getBuiltinModule?(id: string): unknown } }).process;
  const found = host?.getBuiltinModule?.(id);
  if (found === undefined) throw new UnsupportedError(`Cannot reach files: this platform has no ${id}`);
  return found as BuiltinModules[Id];
}
