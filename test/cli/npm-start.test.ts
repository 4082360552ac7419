/**
 * What the README begins with: `npm start`, in a folder where nothing was built or served before. The script is that of the repository, but for the build,
 * which other tests run beside.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { NbdClient } from '../../packages/persistent-data/src/nbd/index.ts';
import { isBuilt, pdata, scratchFolder } from './program.ts';

const ROOT = join(import.meta.dirname, '../..');
const folder = scratchFolder('npm-start');
let running: ChildProcess | undefined;

afterEach(() => {
  if (running?.exitCode === null) process.kill(-running.pid!, 'SIGKILL');
});

/** A folder in which `npm start` does what it does in the repository, and has its pool. */
function prepare(): void {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } };
  const [build, serve] = scripts.start.split(' && ');
  expect(build).toBe('npm run --silent build');
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ scripts: { start: `${build} && ${serve}`, build: 'true' } }),
  );
  mkdirSync(join(folder, 'packages'));
  symlinkSync(join(ROOT, 'packages/pdata'), join(folder, 'packages/pdata'));
}

/** Starts it, in a process group of its own as a terminal does, and answers what it says until it serves. */
async function start(): Promise<string> {
  const child = spawn('npm', ['start'], { cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  running = child;
  let said = '';
  await new Promise<void>((done, fail) => {
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('Stop it with Ctrl-C.')) done();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.once('exit', () => fail(new Error(`it ended: ${said} ${errors}`)));
  });
  return said;
}

/** What Ctrl-C does: all processes of the group get the signal. */
async function interrupt(): Promise<unknown[]> {
  const ended = once(running!, 'exit');
  process.kill(-running!.pid!, 'SIGINT');
  return await ended;
}

const uriIn = (said: string): string => /'(nbd\+unix:[^']*)'/.exec(said)![1]!;

test.skipIf(!isBuilt)(
  '`npm start` serves a pool in ./pool, ends at Ctrl-C, and goes on with it',
  { timeout: 120_000 },
  async () => {
    prepare();
    const said = await start();
    expect(said).toContain('Serving pool: 1 exports, 16 GiB of 16 GiB free');
    for (const way of ['nbdinfo', 'nbdcopy', 'qemu-system-x86_64', 'nbd-client', 'npx pdata volume snapshot pool disk'])
      expect(said).toContain(way);
    const data = Uint8Array.from({ length: 100_000 }, (_, i) => i);
    const first = await NbdClient.connect(uriIn(said));
    expect(first.size).toBe(8 * 2 ** 30);
    await first.write(4096, data, { fua: true });
    // What is not flushed is flushed by an orderly end.
    await first.write(2 ** 30, data);
    expect(await interrupt()).toEqual([0, null]);
    expect(readdirSync(join(folder, 'pool')).sort()).toEqual(['data', 'metadata', 'registry', 'run']);
    expect(readdirSync(join(folder, 'pool/run'))).toEqual([]);
    await first.close().catch(() => undefined);

    const again = await NbdClient.connect(uriIn(await start()));
    for (const at of [4096, 2 ** 30]) expect(Buffer.compare(await again.read(at, data.length), data)).toBe(0);
    await again.write(0, data, { fua: true });
    process.kill(-running!.pid!, 'SIGKILL');
    await once(running!, 'exit');
    await again.close().catch(() => undefined);
    expect(existsSync(join(folder, 'pool/registry.lock'))).toBe(true);

    const last = await NbdClient.connect(uriIn(await start()));
    expect(Buffer.compare(await last.read(0, data.length), data)).toBe(0);
    await last.close();
    expect(await interrupt()).toEqual([0, null]);
    expect((await pdata(['pool', 'check', 'pool'], { cwd: folder })).stdout).toBe('pool: sound, 1 volumes\n');
  },
);
