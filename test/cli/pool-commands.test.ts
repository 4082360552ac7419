/** Commands on pools, on one that is not served and on one that is: the same words, the same answers. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Random } from '../../packages/persistent-data/src/testing/index.ts';
import { RunningServer } from './pool-server.ts';
import { isBuilt, pdata, scratchFolder } from './program.ts';

const scratch = scratchFolder('pools');
let nrFolders = 0;
let server: RunningServer | undefined;

afterEach(async () => {
  await server?.stop('SIGKILL');
  server = undefined;
});

interface Listed {
  readonly volumes: readonly { readonly name: string; readonly readOnly: boolean; readonly origin?: string }[];
}

describe.skipIf(!isBuilt).each(['closed', 'served'] as const)('a pool that is %s', { timeout: 60_000 }, (state) => {
  /** A folder with a pool and a file, and how to run commands in it. */
  async function begin() {
    const folder = join(scratch, `${nrFolders++}`);
    mkdirSync(folder);
    const run = async (...argv: string[]): Promise<string> => {
      const { status, stdout, stderr } = await pdata(argv, { cwd: folder });
      expect({ argv, status, stderr }).toEqual({ argv, status: 0, stderr: '' });
      return stdout;
    };
    const fails = async (...argv: string[]): Promise<string> => {
      const { status, stdout, stderr } = await pdata(argv, { cwd: folder });
      expect({ argv, status, stdout }).toEqual({ argv, status: 64, stdout: '' });
      return stderr;
    };
    const random = new Random(3);
    const raw = new Uint8Array(1_500_000);
    raw.set(random.bytes(300_000), 100_000);
    raw.set(random.bytes(5000), 1_400_000);
    writeFileSync(join(folder, 'raw'), raw);
    await run('pool', 'create', 'pool', '--size', '256M');
    if (state === 'served') server = await RunningServer.start(['pool'], folder);
    const names = async (): Promise<string[]> => {
      const { volumes } = JSON.parse(await run('volume', 'list', 'pool', '--json')) as Listed;
      return volumes.map(({ name }) => name);
    };
    return { folder, raw, run, fails, names };
  }

  test('has its volumes made, copied, changed and deleted', async () => {
    const { folder, run, fails, names } = await begin();
    await run('volume', 'create', 'pool', 'root', '-s', '64M');
    await run('volume', 'snapshot', 'pool', 'root', 'monday');
    await run('volume', 'clone', 'pool', 'monday', 'lab');
    await run('volume', 'rename', 'pool', 'lab', 'lab2');
    await run('volume', 'resize', 'pool', 'lab2', '--size', '128M');
    await run('volume', 'rollback', 'pool', 'root', 'monday');
    expect(await names()).toEqual(['root', 'monday', 'lab2']);
    expect(await fails('volume', 'create', 'pool', 'root', '-s', '1M')).toContain('a volume has it');
    expect(await fails('volume', 'delete', 'pool', 'none')).toContain('none of this name');
    expect(await fails('volume', 'resize', 'pool', 'monday', '-s', '1M')).toContain('it is read-only');
    expect(await fails('volume', 'rollback', 'pool', 'root', 'root')).toContain('back to itself');
    expect(await fails('volume', 'merge', 'pool', 'root', 'root')).toContain('into itself');
    expect(await fails('volume', 'export', 'pool', 'none', 'made')).toContain('none of this name');
    expect(existsSync(join(folder, 'made'))).toBe(false);
    await run('volume', 'merge', 'pool', 'lab2', 'root');
    await run('volume', 'protect', 'pool', 'monday', '--off');
    await run('volume', 'delete', 'pool', 'monday');
    expect(await names()).toEqual(['root']);
    await run('pool', 'grow', 'pool', '--size', '512M');
    const status = JSON.parse(await run('pool', 'status', 'pool', '--json')) as Record<string, unknown>;
    expect(status).toMatchObject({ dataBytes: 2 ** 29, nrVolumes: 1, promisedBytes: 2 ** 27 });
    expect(typeof status.server).toBe(state === 'served' ? 'number' : 'object');
    expect(await run('pool', 'status', 'pool')).toContain('0 bytes of 512 MiB used');
    if (state === 'closed') expect(await run('pool', 'check', 'pool')).toBe('pool: sound, 1 volumes\n');
    else expect(await fails('pool', 'check', 'pool')).toContain('stop it first, a check wants files at rest');
  });

  test('imports, exports, sends and receives', async () => {
    const { folder, raw, run, fails, names } = await begin();
    await run('volume', 'import', 'pool', 'image', 'raw');
    await run('volume', 'export', 'pool', 'image', 'out');
    const out = readFileSync(join(folder, 'out'));
    expect(out.length).toBe(Math.ceil(raw.length / 512) * 512);
    expect(out.subarray(0, raw.length).equals(raw)).toBe(true);
    expect(await fails('volume', 'export', 'pool', 'image', 'out')).toContain('there is a file of this name already');
    await run('volume', 'snapshot', 'pool', 'image', 'one');
    await run('volume', 'send', 'pool', 'one', '-o', 'full');
    await run('volume', 'snapshot', 'pool', 'image', 'two');
    await run('volume', 'send', 'pool', 'two', '--base', 'one', '-o', 'delta');
    await run('pool', 'create', 'other', '--size', '64M');
    expect(await fails('volume', 'receive', 'other', 'two', '-i', 'delta')).toContain('which this pool has not');
    const half = readFileSync(join(folder, 'full')).subarray(0, 500_000);
    writeFileSync(join(folder, 'half'), half);
    expect(await fails('volume', 'receive', 'other', 'one', '-i', 'half')).toContain('send it again to go on');
    expect(await run('volume', 'receive', 'other', 'one', '-i', 'full')).toContain('went on at byte');
    await run('volume', 'receive', 'other', 'two', '-i', 'delta', '--writable');
    await run('volume', 'export', 'other', 'two', 'out', '--force');
    expect(readFileSync(join(folder, 'out')).equals(out)).toBe(true);
    // Into the pool itself, which may be served.
    await run('volume', 'receive', 'pool', 'copy', '-i', 'full');
    expect(await names()).toEqual(['image', 'one', 'two', 'copy']);
    expect(await run('pool', 'check', 'other')).toBe('other: sound, 2 volumes\n');
  });
});

test.skipIf(!isBuilt)('wrong sizes, folders and words are told', async () => {
  const fails = async (...argv: string[]) => (await pdata(argv, { cwd: scratch })).stderr;
  expect(await fails('pool', 'create', 'p', '--size', 'much')).toContain("invalid value 'much' for '--size <SIZE>'");
  expect(await fails('pool', 'status', 'nothing')).toContain('there is no such folder');
  expect(await fails('pool', 'crate', 'p')).toContain('unrecognised command');
  expect((await pdata(['volume', '--help'])).stdout).toContain('volume snapshot');
  expect(await fails('pool', 'create', 'q', '--block-size', '10K')).toContain('a multiple of 65536 (64 KiB)');
  expect(existsSync(join(scratch, 'q'))).toBe(false);
  expect(await fails('volume', 'import', 'q', 'x', '-')).toContain('whose length can be known');
  expect(await fails('serve')).toContain('a POOL, or --metadata and --data, are wanted');
});
