import { type ChildProcess, spawn } from 'node:child_process';
import fs, { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { DeviceError, LockedError } from '../base/index.ts';
import { FileLock } from './file-lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'file-lock-'));
let nrFiles = 0;
const newFile = () => join(folder, `file-${nrFiles++}`);
const children: ChildProcess[] = [];

afterEach(() => vi.restoreAllMocks());
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** Runs a program with `FileLock` and `fs` at hand in another process. */
function runElsewhere(program: string): ChildProcess & { readonly text: Promise<string> } {
  const lockModule = pathToFileURL(join(import.meta.dirname, 'file-lock.ts')).href;
  const code = `import fs from 'node:fs'; import { FileLock } from '${lockModule}'; ${program}`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part) => {
    text += part;
  });
  const ended = new Promise<string>((resolve) => child.once('close', () => resolve(text)));
  return Object.assign(child, { text: ended });
}

/** Waits until a process that runs {@link runElsewhere} has printed something. */
async function said(child: ChildProcess): Promise<string> {
  return await new Promise((resolve) => child.stdout?.once('data', (text) => resolve(String(text))));
}

/** The lock file of `file`, changed so that it is another process' or a gone one's. */
function leaveLock(file: string, changes: object): void {
  FileLock.acquire(file);
  const record = JSON.parse(readFileSync(`${file}.lock`, 'utf8'));
  writeFileSync(`${file}.lock`, JSON.stringify({ ...record, ...changes }));
}

const GONE = { startTime: '1' };

test('`FileLock` leaves one file while it is held, and none after', () => {
  const file = newFile();
  const lock = FileLock.acquire(file);
  expect(lock.path).toBe(`${file}.lock`);
  expect(readdirSync(folder)).toEqual([`${file.slice(folder.length + 1)}.lock`]);
  expect(JSON.parse(readFileSync(lock.path, 'utf8'))).toMatchObject({
    ...lock.holder,
    pid: process.pid,
    host: hostname(),
  });
  expect(FileLock.holderOf(file)).toEqual(lock.holder);
  lock.release();
  lock.release();
  expect(readdirSync(folder)).toEqual([]);
  expect(FileLock.holderOf(file)).toBeUndefined();
});

test('`FileLock` refuses a second holder in the same process', () => {
  const file = newFile();
  const lock = FileLock.acquire(file);
  expect(() => FileLock.acquire(file)).toThrow(LockedError);
  lock.release();
  FileLock.acquire(file).release();
});

test('`FileLock` refuses a second process and names the holder: pid, host, since', async () => {
  const file = newFile();
  const child = runElsewhere(
    `FileLock.acquire(${JSON.stringify(file)}); console.log('held'); setInterval(() => {}, 1e6);`,
  );
  await said(child);
  let error: unknown;
  try {
    FileLock.acquire(file);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(LockedError);
  const { holder, message } = error as LockedError;
  expect(holder).toMatchObject({ pid: child.pid, host: hostname() });
  expect(message).toBe(
    `Cannot lock ${file}: process ${child.pid} on ${hostname()} has it open since ${holder?.since}, at most one writer is possible`,
  );
  child.kill('SIGKILL');
  await child.text;
  const lock = FileLock.acquire(file);
  expect(lock.holder.pid).toBe(process.pid);
  lock.release();
});

test('`FileLock` of a process that ends without releasing is taken over', async () => {
  const file = newFile();
  await runElsewhere(`FileLock.acquire(${JSON.stringify(file)}); process.exit();`).text;
  expect(existsSync(`${file}.lock`)).toBe(true);
  expect(FileLock.holderOf(file)).toBeUndefined();
  FileLock.acquire(file).release();
  expect(readdirSync(folder)).toEqual([]);
});

test.runIf(existsSync('/proc/self/stat'))('`FileLock` is taken over when its pid belongs to a later process', () => {
  const file = newFile();
  leaveLock(file, GONE);
  const lock = FileLock.acquire(file);
  expect(readdirSync(folder)).toEqual([`${file.slice(folder.length + 1)}.lock`]);
  lock.release();
});

test('`FileLock` of another host is never taken over, and the message says what to do', () => {
  const file = newFile();
  leaveLock(file, { ...GONE, host: 'elsewhere', pid: 4_000_000 });
  expect(() => FileLock.acquire(file)).toThrow(`process 4000000 on elsewhere has it open`);
  expect(() => FileLock.acquire(file)).toThrow(`(if that process is gone for certain, remove ${file}.lock)`);
  expect(FileLock.holderOf(file)).toMatchObject({ host: 'elsewhere' });
  rmSync(`${file}.lock`);
});

test('a lock file that is no record is left alone', () => {
  const file = newFile();
  writeFileSync(`${file}.lock`, 'mine!');
  expect(() => FileLock.acquire(file)).toThrow(LockedError);
  expect(() => FileLock.holderOf(file)).toThrow('an unknown process has it');
  expect(readFileSync(`${file}.lock`, 'utf8')).toBe('mine!');
  rmSync(`${file}.lock`);
});

test('`FileLock.release()` leaves a lock alone that replaced its own by hand', () => {
  const file = newFile();
  const lock = FileLock.acquire(file);
  rmSync(lock.path);
  const other = FileLock.acquire(file);
  lock.release();
  expect(FileLock.holderOf(file)).toEqual(other.holder);
  other.release();
});

test('`FileLock` says so when no lock file can be made', () => {
  const file = join(folder, 'no', 'such', 'folder');
  expect(() => FileLock.acquire(file)).toThrow(DeviceError);
  expect(() => FileLock.acquire(file)).toThrow('ENOENT');
});

test('`FileLock` works on file systems without hard links', () => {
  vi.spyOn(fs, 'linkSync').mockImplementation(() => {
    throw Object.assign(new Error('EPERM: operation not permitted'), { code: 'EPERM' });
  });
  const file = newFile();
  const lock = FileLock.acquire(file);
  expect(() => FileLock.acquire(file)).toThrow(LockedError);
  lock.release();
  leaveLock(file, { bootId: 'earlier' });
  FileLock.acquire(file).release();
  expect(readdirSync(folder)).toEqual([]);
});

test('`FileLock` believes its own record where a network file system denies that the link was made', () => {
  const link = fs.linkSync;
  vi.spyOn(fs, 'linkSync').mockImplementation((...args) => {
    link(...args);
    throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' });
  });
  FileLock.acquire(newFile()).release();
  expect(readdirSync(folder)).toEqual([]);
});

// Two takers found the same stale lock. The first replaced it; the second, late, must not replace the first one's.
test('`FileLock` does not replace a lock that another taker has made since the stale one was seen', () => {
  const file = newFile();
  leaveLock(file, { bootId: 'earlier' });
  const link = fs.linkSync;
  let winner: FileLock | undefined;
  vi.spyOn(fs, 'linkSync').mockImplementation((from, to) => {
    const isTakeover = String(to).endsWith('.takeover');
    if (isTakeover && winner === undefined) {
      vi.mocked(fs.linkSync).mockImplementation(link);
      winner = FileLock.acquire(file);
    }
    link(from, to);
  });
  expect(() => FileLock.acquire(file)).toThrow(LockedError);
  expect(FileLock.holderOf(file)).toEqual(winner?.holder);
  winner?.release();
  expect(readdirSync(folder)).toEqual([]);
});

test('`FileLock` survives a taker that dies while it takes over', () => {
  const file = newFile();
  leaveLock(file, { bootId: 'earlier' });
  leaveLock(`${file}.other`, { bootId: 'earlier' });
  fs.renameSync(`${file}.other.lock`, `${file}.lock.takeover`);
  FileLock.acquire(file).release();
  expect(readdirSync(folder)).toEqual([]);
});

// Six processes take, hold, and either release the lock or leave it as if they had been killed. A second holder would find the
// first one's mark.
test('`FileLock` never has two holders, whoever races for a stale lock', { timeout: 60_000 }, async () => {
  const file = newFile();
  const program = `
    const file = ${JSON.stringify(file)};
    let held = 0, bad = 0;
    const end = performance.now() + 2500;
    while (performance.now() < end) {
      let lock;
      try { lock = FileLock.acquire(file); } catch (error) { if (error.code !== 'PDATA_LOCKED') throw error; continue; }
      held += 1;
      try { fs.closeSync(fs.openSync(file + '.mark', 'wx')); } catch { bad += 1; }
      for (let until = performance.now() + (held * 7 % 5) / 2; performance.now() < until;);
      fs.rmSync(file + '.mark', { force: true });
      if (held % 3 === 0) lock.release();
      else {
        const record = JSON.parse(fs.readFileSync(lock.path, 'utf8'));
        fs.writeFileSync(file + process.pid, JSON.stringify({ ...record, bootId: 'earlier' }));
        fs.renameSync(file + process.pid, lock.path);
      }
    }
    console.log(JSON.stringify({ held, bad }));`;
  const results = await Promise.all(Array.from({ length: 6 }, () => runElsewhere(program).text));
  const counts = results.map((text) => JSON.parse(text) as { held: number; bad: number });
  expect(counts.map(({ bad }) => bad)).toEqual([0, 0, 0, 0, 0, 0]);
  expect(counts.reduce((sum, { held }) => sum + held, 0)).toBeGreaterThan(20);
  rmSync(`${file}.lock`, { force: true });
  expect(readdirSync(folder)).toEqual([]);
});

test('`FileLock.releaseAll()` gives back what this thread holds, and nothing else', () => {
  const [own, other, replaced] = [newFile(), newFile(), newFile()];
  for (const file of [own, replaced]) FileLock.acquire(file);
  leaveLock(other, { token: 'of another' });
  writeFileSync(`${replaced}.lock`, 'by hand');
  FileLock.releaseAll();
  expect([own, other, replaced].map((file) => existsSync(`${file}.lock`))).toEqual([false, true, true]);
  FileLock.acquire(own).release();
});
