import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from 'persistent-data/testing';
import { afterAll, expect, test } from 'vitest';
import { Pool } from './pool.ts';
import { receiveVolume } from './receive.ts';
import { sendVolume } from './send.ts';
import { RecordWriter } from './stream-record.ts';

const MIB = 2 ** 20;
const scratch = mkdtempSync(join(tmpdir(), 'pdata-receiving-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let nrFolders = 0;

async function newPool(): Promise<Pool> {
  const pool = Pool.create(join(scratch, `${nrFolders++}`), { sizeBytes: 64 * MIB });
  await pool.createVolume('root', { sizeBytes: MIB });
  return pool;
}

/** The files as a crash at this moment would leave them, and all that was written before. */
function crashed(pool: Pool): string {
  const folder = join(scratch, `${nrFolders++}`);
  cpSync(pool.folder!, folder, { recursive: true, filter: (path) => !path.endsWith('.lock') });
  return folder;
}

const names = (pool: Pool): string[] => pool.volumes().map(({ name }) => name);

async function* stream(resumable: boolean, atEnd: () => void): AsyncGenerator<Uint8Array> {
  const writer = new RecordWriter();
  yield writer.begin({ version: 1, name: 'x', uuid: 'u', sizeBytes: MIB, from: 0, resumable });
  yield writer.data(0, new Random(1).bytes(65_536));
  atEnd();
  yield writer.end(MIB);
}

test('what a crash has left of an import goes when the pool is opened again, and its name is free', async () => {
  const pool = await newPool();
  let left = '';
  await receiveVolume(
    pool,
    'x',
    stream(false, () => {
      left = crashed(pool);
    }),
    { writable: true },
  );
  expect(pool.record('x')).toMatchObject({ temporary: false, receivedTo: undefined });
  await pool.close();

  const reader = Pool.open(left, { readOnly: true });
  expect(reader.record('x')).toMatchObject({ temporary: true, receivedTo: 0 });
  await reader.close();
  const again = Pool.open(left);
  await receiveVolume(
    again,
    'x',
    stream(false, () => undefined),
    { writable: true },
  );
  expect(names(again)).toEqual(['root', 'x']);
  expect(again.status().usedDataBytes).toBe(65_536);
  await again.close();
});

test('what a crash has left of a stream that can be had again stays', async () => {
  const pool = await newPool();
  let left = '';
  await receiveVolume(
    pool,
    'x',
    stream(true, () => {
      left = crashed(pool);
    }),
  );
  await pool.close();
  const again = Pool.open(left);
  await again.tidied;
  expect(again.record('x')).toMatchObject({ temporary: false, receivedTo: 0 });
  await receiveVolume(
    again,
    'x',
    stream(true, () => undefined),
  );
  await again.close();
});

test('a temporary snapshot goes when the pool is opened again, and not before', async () => {
  const pool = await newPool();
  await pool.createSnapshot('root', 'moment', { temporary: true });
  const pieces: Uint8Array[] = [];
  for await (const piece of sendVolume(pool, 'moment')) pieces.push(piece);
  expect(pieces.length).toBe(2);
  await pool.createVolume('other', { sizeBytes: MIB });
  expect(names(pool)).toEqual(['root', 'moment', 'other']);
  const left = crashed(pool);
  await pool.close();
  for (const folder of [left, pool.folder!]) {
    const again = Pool.open(folder);
    await again.createSnapshot('root', 'moment');
    expect(again.volumes()).toMatchObject([{ name: 'root' }, { name: 'other' }, { name: 'moment', temporary: false }]);
    await again.close();
  }
});
