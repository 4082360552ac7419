/** What a model test expects, said in a few words: it compares thousands of times, and shows only what is wrong. */

import type { CorruptionError, StateError } from '../../packages/persistent-data/src/base/index.ts';

export function fail(text: string): never {
  throw new Error(text);
}

export function same(found: unknown, wanted: unknown): boolean {
  return JSON.stringify(found) === JSON.stringify(wanted);
}

export function expectSame(found: unknown, wanted: unknown, what: string): void {
  if (!same(found, wanted)) fail(`${what}: ${JSON.stringify(found)} is found, ${JSON.stringify(wanted)} is wanted`);
}

export function expectThrown(use: () => unknown, kind: typeof StateError | typeof CorruptionError): void {
  try {
    use();
  } catch (error) {
    if (error instanceof kind) return;
    throw error;
  }
  fail(`a ${kind.name} was expected`);
}
