/** Ctrl-C in the long commands on pools: 130, no lock left, no file that is whole in name only, and a pool that is sound. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../packages/persistent-data/src/testing/index.ts';
import { interruptWhen } from './interrupted-run.ts';
import { RunningServer } from './pool-server.ts';
import { BIN, isBuilt, pdata, scratchFolder } from './program.ts';

const folder = scratchFolder('pool-interruption');
const path = (name: string): string => join(folder, name);
const MIB = 2 ** 20;
const RAW_BYTES = 128 * MIB;
let server: RunningServer | undefined;

async function run(...argv: string[]): Promise<string> {
  const { status, stdout, stderr } = await pdata(argv, { cwd: folder });
  expect({ argv, status, stderr }).toEqual({ argv, status: 0, stderr: '' });
  return stdout;
}

interface Listed {
  readonly volumes: readonly { readonly name: string; readonly temporary: boolean; readonly receivedTo?: number }[];
}

async function names(): Promise<string[]> {
  const { volumes } = JSON.parse(await run('volume', 'list', 'pool', '--json')) as Listed;
  return volumes.map(({ name }) => name);
}

beforeAll(async () => {
  if (!isBuilt) return;
  const random = new Random(1);
  const raw = Buffer.alloc(RAW_BYTES);
  for (let at = 0; at < RAW_BYTES; at += MIB) raw.set(random.bytes(64 * 1024), at);
  for (let at = 0; at < RAW_BYTES; at += 4096) raw.writeUInt32LE(1 + random.below(1000), at);
  writeFileSync(path('raw'), raw);
  await run('pool', 'create', 'prepared', '--size', '1G');
  await run('volume', 'import', 'prepared', 'image', 'raw');
  await run('volume', 'snapshot', 'prepared', 'image', 'one');
  await run('volume', 'send', 'prepared', 'one', '-o', 'stream');
}, 120_000);

afterEach(async () => {
  await server?.stop('SIGKILL');
  server = undefined;
});

/** The pool as it was prepared, and no file of an earlier attempt. */
function begin(): void {
  for (const name of ['pool', 'made', 'made.partial']) rmSync(path(name), { recursive: true, force: true });
  cpSync(path('prepared'), path('pool'), { recursive: true });
}

async function expectSound(wanted: readonly string[]): Promise<void> {
  expect(readdirSync(path('pool')).sort()).toEqual(['data', 'metadata', 'registry', 'run']);
  // Whoever opens it to write removes what is left.
  await run('volume', 'create', 'pool', 'next', '-s', '1M');
  expect(await names()).toEqual([...wanted, 'next']);
  expect(await run('pool', 'check', 'pool')).toBe(`pool: sound, ${wanted.length + 1} volumes\n`);
  expect(readdirSync(folder).filter((name) => /partial|lock|^made$/.test(name))).toEqual([]);
}

describe.skipIf(!isBuilt)('Ctrl-C', { timeout: 120_000 }, () => {
  test.each([
    { argv: ['volume', 'import', '@pool', 'x', '@raw'], sign: 'pool/registry.lock' },
    { argv: ['volume', 'export', '@pool', 'image', '@made'], sign: 'made.partial' },
    { argv: ['volume', 'send', '@pool', 'one', '-o', '@made'], sign: 'made.partial' },
    { argv: ['volume', 'receive', '@pool', 'x', '-i', '@stream'], sign: 'pool/registry.lock', mayStay: 'x' },
  ])('ends $argv.0 $argv.1', async ({ argv, sign, mayStay }) => {
    const ending = await interruptWhen(
      { file: path(sign) },
      argv.map((word) => word.replace(/^@/, `${folder}/`)),
      begin,
    );
    expect(ending).toEqual({ code: 130, signal: null, stderr: '' });
    const before = await names();
    expect(before.filter((name) => name !== mayStay)).toEqual(['image', 'one']);
    await expectSound(before);
  });

  test('after SIGKILL the same command can be given again, and nothing of the first one stays', async () => {
    for (const { argv, sign } of [
      { argv: ['volume', 'export', 'pool', 'image', 'made'], sign: 'made.partial' },
      { argv: ['volume', 'import', 'pool', 'x', 'raw'], sign: 'pool/registry.lock' },
    ]) {
      begin();
      const child = spawn(process.execPath, [BIN, ...argv], { cwd: folder, stdio: 'ignore' });
      const ended = once(child, 'exit');
      await expect.poll(() => existsSync(path(sign)), { timeout: 20_000, interval: 1 }).toBe(true);
      // An import has made its volume a moment later.
      if (argv[1] === 'import') await new Promise((done) => setTimeout(done, 20));
      child.kill('SIGKILL');
      expect({ argv, ended: await ended }).toEqual({ argv, ended: [null, 'SIGKILL'] });
      await run(...argv);
      expect(await names()).toEqual(argv[1] === 'import' ? ['image', 'one', 'x'] : ['image', 'one']);
      if (argv[1] === 'export') expect(readFileSync(path('made')).equals(readFileSync(path('raw')))).toBe(true);
    }
    await expectSound(['image', 'one', 'x']);
  });

  test('ends a command that waits for a reader, or a writer, that never comes', async () => {
    begin();
    for (const argv of [
      ['volume', 'send', 'pool', 'one'],
      ['volume', 'export', 'pool', 'image', '-'],
      ['volume', 'receive', 'pool', 'x'],
    ]) {
      const child = spawn(process.execPath, [BIN, ...argv], { cwd: folder, stdio: 'pipe' });
      const ended = once(child, 'exit');
      if (argv[1] === 'receive') {
        child.stdin.write(readFileSync(path('stream')).subarray(0, 10 * MIB));
        await expect.poll(() => namesIn('pool'), { timeout: 20_000 }).toContain('registry.lock');
        await new Promise((done) => setTimeout(done, 2000));
      } else await once(child.stdout, 'readable');
      child.kill('SIGINT');
      expect({ argv, ended: await ended }).toEqual({ argv, ended: [130, null] });
      child.stdin.destroy();
      child.stdout.destroy();
    }
    const { volumes } = JSON.parse(await run('volume', 'list', 'pool', '--json')) as Listed;
    expect(volumes.filter(({ temporary }) => temporary)).toEqual([]);
    // What has come of the stream stays, and the rest completes it.
    expect(volumes.at(-1)).toMatchObject({ name: 'x' });
    expect(volumes.at(-1)!.receivedTo).toBeGreaterThan(0);
    await run('volume', 'receive', 'pool', 'x', '-i', 'stream');
    await expectSound(['image', 'one', 'x']);
  });

  test('on a served pool: the server tidies up what its client had begun', async () => {
    begin();
    server = await RunningServer.start(['pool'], folder);
    for (const argv of [
      ['volume', 'import', 'pool', 'x', 'raw'],
      ['volume', 'export', 'pool', 'image', '-'],
    ]) {
      const child = spawn(process.execPath, [BIN, ...argv], { cwd: folder, stdio: 'pipe' });
      const ended = once(child, 'exit');
      await expect.poll(names, { timeout: 20_000, interval: 10 }).toHaveLength(3);
      child.kill('SIGINT');
      expect({ argv, ended: await ended }).toEqual({ argv, ended: [130, null] });
      child.stdout.destroy();
      await expect.poll(names, { timeout: 20_000 }).toEqual(['image', 'one']);
    }
    expect(await server.stop('SIGINT')).toBe(0);
    server = undefined;
    await expectSound(['image', 'one']);
  });
});

const namesIn = (name: string): string[] => readdirSync(path(name));
