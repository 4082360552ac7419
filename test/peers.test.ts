import { readFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { type Peer, peer } from './peers.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const ABSENT = 'no-such-program' as Peer;

test('`peer()` says once that a program is missing, and how to get it', () => {
  vi.stubEnv('CI', '');
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(peer(ABSENT)).toBeUndefined();
  expect(peer(ABSENT)).toBeUndefined();
  expect(write.mock.calls).toEqual([[expect.stringMatching(/no-such-program .*`npm run peers`/)]]);
});

test('`peer()` fails where CI promises that the program is there', () => {
  vi.stubEnv('CI', 'true');
  expect(() => peer(ABSENT)).toThrow('no-such-program is not installed');
});

test('`peer()` finds a program on the path', () => {
  expect(peer('sh' as Peer)).toMatch(/^\/.*\/sh$/);
});

test('`npm run peers` installs the package of every peer', () => {
  const script = readFileSync(new URL('../scripts/peers.sh', import.meta.url), 'utf8');
  const source = readFileSync(new URL('./peers.ts', import.meta.url), 'utf8');
  const table = source.slice(source.indexOf('PACKAGES = {'), source.indexOf('} as const'));
  for (const [, name] of table.matchAll(/^ {2}'?([a-z0-9-]+)'?: \[/gm)) expect(script.split(/\s+/)).toContain(name);
});
