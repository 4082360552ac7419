/** `pdata serve --metadata … --data …`: volumes by their ids, with sizes that the metadata does not know. */

import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { NbdClient } from '../../packages/persistent-data/src/nbd/index.ts';
import { RunningServer } from './pool-server.ts';
import { isBuilt, pdata, scratchFolder } from './program.ts';

const MIB = 2 ** 20;
const BLOCK = 65_536;
const folder = scratchFolder('serve-foreign');
const FILES = ['--metadata', 'pool/metadata', '--data', 'pool/data', '--socket', join(folder, 'sock')];
let server: RunningServer | undefined;

afterEach(async () => {
  await server?.stop('SIGKILL');
  server = undefined;
});

async function serve(...argv: string[]): Promise<(id: number) => Promise<NbdClient>> {
  server = await RunningServer.start([...FILES, ...argv], folder);
  return (id) => NbdClient.connect(server!.uri(`${id}`));
}

describe.skipIf(!isBuilt)('a pool by its devices', { timeout: 60_000 }, () => {
  test('sizes are given, or go up to the last block that is mapped', async () => {
    for (const argv of [
      ['pool', 'create', 'pool', '-s', '256M'],
      ['volume', 'create', 'pool', 'a', '-s', '64M'],
      ['volume', 'create', 'pool', 'b', '-s', '64M'],
    ]) {
      expect(await pdata(argv, { cwd: folder })).toMatchObject({ status: 0 });
    }
    const sized = await serve('--size', '0=64M', '--size', '1=500K');
    const [one, other] = [await sized(0), await sized(1)];
    expect([one.size, other.size]).toEqual([64 * MIB, 512_000]);
    await one.write(32 * MIB, new Uint8Array(BLOCK).fill(7), { fua: true });
    await Promise.all([one.close(), other.close()]);
    expect(await server!.stop('SIGTERM')).toBe(0);

    const plain = await serve();
    const [first, second] = [await plain(0), await plain(1)];
    expect([first.size, second.size]).toEqual([32 * MIB + BLOCK, 0]);
    expect((await first.read(32 * MIB, 1))[0]).toBe(7);
    await Promise.all([first.close(), second.close()]);
    expect(await server!.stop('SIGINT')).toBe(0);
    expect((await pdata(['pool', 'check', 'pool'], { cwd: folder })).stdout).toBe('pool: sound, 2 volumes\n');
  });

  test.each([
    [['--size', '7=1G'], 64, 'Cannot give volume 7 a size: the pool has 0, 1'],
    [['--export', '7'], 64, 'Cannot export volume 7: the pool has 0, 1'],
    [['--size', '1G'], 2, "invalid value '1G' for '--size <ID=SIZE>': such as 7=10G is wanted"],
    [['--size', '0=1000'], 2, 'a multiple of 512 bytes is wanted'],
    [['--size', '0=much'], 2, 'a size such as 256M'],
  ])('%j is refused', async (argv, status, text) => {
    const outcome = await pdata(['serve', ...FILES, ...argv], { cwd: folder });
    expect(outcome).toMatchObject({ status, stdout: '' });
    expect(outcome.stderr).toContain(text);
  });

  test('sizes of a pool with names are not given here', async () => {
    const outcome = await pdata(['serve', 'pool', '--size', '0=1G'], { cwd: folder });
    expect(outcome).toMatchObject({ status: 2 });
    expect(outcome.stderr).toContain('"volume resize" changes sizes in a POOL');
  });
});
